"""A forked chapter shows what a real kernel shows, byte for byte."""

from __future__ import annotations

import pytest

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJ"
    "RU5ErkJggg=="
)
KINDS = {
    "text": ["x = 6 * 7", "x", "x;", "'a string with \\n and é'", "None", "_"],
    "streams": [
        "print('one'); print('two', end='')",
        "import sys\nprint('out'); print('err', file=sys.stderr); print('out again')",
        "import sys\nprint('err', file=sys.stderr)\n'value'",
        "print('a', flush=True); display('shown'); print('b')",
        "import sys\nsys.stdout.write('x'), sys.stdout.isatty(), sys.stdout.encoding",
        "print('over\\rwritten')",
    ],
    "display": [
        "from IPython.display import HTML, Markdown, Math, SVG, Image, JSON, Latex, display",
        "HTML('<b>bold</b>')",
        "display(HTML('<i>1</i>'), Markdown('*two*'))\nLatex('$x$')",
        'SVG(\'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>\')',
        f"import base64\nImage(base64.b64decode('{PNG}'))",
        "handle = display('first', display_id='h')\nprint('between')",
        "handle.update('second')",
        "from IPython.display import clear_output\nprint('gone'); clear_output(); print('stays')",
        "print('gone'); clear_output(wait=True); display('instead')",
        "JSON({'a': [1, 2, float('inf')]})",
    ],
    "bundles": [
        "class Table:\n"
        "    def _repr_mimebundle_(self, include=None, exclude=None):\n"
        "        data = {'text/plain': 'table', 'text/html': '<table></table>',\n"
        "                'application/vnd.book.table+json': {'rows': [1, 2.5, None, 'é']}}\n"
        "        return data, {'text/html': {'isolated': True}}\n"
        "Table()",
        "class Half:\n"
        "    def _repr_html_(self): return '<p>half</p>'\n"
        "    def _repr_svg_(self): return '<svg xmlns=\"http://www.w3.org/2000/svg\"/>'\n"
        "    def __repr__(self): return 'half'\n"
        "Half()",
        ":tags: [raises-exception]\nclass Broken:\n"
        "    def _repr_html_(self): raise ValueError('cannot show')\n"
        "    def __repr__(self): return 'broken'\n"
        "Broken()",
        "display({'text/plain': 'raw', 'x/y': 'z'}, raw=True, metadata={'k': 1})",
    ],
    "glue": [
        "from myst_nb import glue\nglue('number', 1.25, display=False)",
        "glue('shown', 'text')",
        "glue('list', [1, 2, 3], display=False)",
    ],
    "errors": [
        ":tags: [raises-exception]\n1 / 0",
        ":tags: [raises-exception]\nprint('before')\nraise ValueError('words', 3)",
        ":tags: [raises-exception]\nx = (1,",
        ":tags: [raises-exception]\n"
        "def f(n):\n    return g(n)\ndef g(n):\n    return missing\nf(1)",
        ":tags: [raises-exception]\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('k') from error",
        ":tags: [raises-exception]\n"
        "raise ExceptionGroup('several', [ValueError('a'), TypeError('b')])",
        ":tags: [raises-exception]\ninput('ask')",
        ":tags: [raises-exception]\nassert 1 == 2, 'not equal'",
        ":tags: [raises-exception]\nimport sys\nsys.exit(3)",
        "'still alive'",
    ],
    "warnings": [
        "import warnings\nwarnings.warn('careful')",
        "def old():\n    warnings.warn('old', DeprecationWarning, stacklevel=2)\nold()",
        "import logging\nlogging.getLogger('x').warning('logged')",
    ],
    "magics": [
        "%xmode",
        "%matplotlib inline\n%precision 3\n3.14159265",
        "!echo from a shell",
        "%%bash\necho in bash; echo error >&2",
        "%%capture seen\nprint('captured')",
        "seen.stdout",
        "%who str",
        "len?",
        ":tags: [raises-exception]\n%nosuchmagic",
    ],
    "async": [
        "import asyncio\nawait asyncio.sleep(0.01)\n'awaited'",
        "async def later(n):\n    await asyncio.sleep(0)\n    return n\n"
        "await asyncio.gather(later(1), later(2))",
        "task = asyncio.create_task(later(3))",
        "await task",
        ":tags: [raises-exception]\nasync def bad():\n    raise RuntimeError('late')\nawait bad()",
    ],
    "world": [
        "import os, sys, locale, time",
        "sorted(k for k in os.environ if k not in {'JPY_PARENT_PID', 'JPY_SESSION_NAME',"
        " 'PYDEVD_USE_FRAME_EVAL', 'ELECTRON_RUN_AS_NODE'})",
        "os.environ['TZ'], time.tzname, os.environ['COLUMNS'], locale.getpreferredencoding()",
        "os.listdir('.'), len(sys.argv), sys.flags.hash_randomization",
        "[p.replace(sys.prefix, '<prefix>') for p in sys.path]",
        "hash('text') % 1000, {'a', 'b', 'c', 'd'}",
        "__name__, sys.modules['__main__'].__name__, 'get_ipython' in globals()",
        "type(get_ipython()).__name__, get_ipython().config.InteractiveShell.xmode",
        "import threading\nthreading.current_thread().name",
        "import pickle\nclass Here: pass\npickle.loads(pickle.dumps(Here())).__class__.__name__",
        "import inspect\ndef shown(a):\n    return a\ninspect.getsource(shown)",
        "Out[3][:2], In[1]",
    ],
    "torch": [
        "import torch\nx = torch.tensor([1.0, 2.0], requires_grad=True)",
        "y = (x ** 2).sum()\ny.backward()\nx.grad",
        "torch.manual_seed(1), torch.initial_seed()\n"
        "torch.rand(3), torch.get_num_threads(), torch.get_default_dtype()",
        ":tags: [raises-exception]\ny.backward()",
        "(torch.ones(1000, 1000) @ torch.ones(1000, 1000)).sum()",
        "torch.ones(2_000_000).mul(2).sum()",
        "print(y)\ny",
    ],
    "figures": [
        "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9]);",
        "fig, axes = plt.subplots(1, 2, figsize=(4, 2))\n"
        "axes[0].plot([0, 1], label='é')\naxes[0].legend()\n"
        "axes[1].scatter([0, 1], [1, 0])\naxes[1].set_title(r'$\\frac{a}{b}$');",
        "fig",
        "print('before'); plt.figure(); plt.plot([1, 2]); print('after')",
        "plt.rcParams['svg.hashsalt'], plt.get_backend()",
        "from matplotlib.figure import Figure\nf = Figure()\nf.subplots().plot([1, 2])\nf",
    ],
}


@pytest.mark.slow
def test_every_kind_of_output_is_what_a_real_kernel_gives(book):
    """Notebooks, pages, figures and glue of the two executors have the same bytes."""
    for name, cells in KINDS.items():
        book.page(name, *cells, title=name)
    book.page("index", "1 + 1")

    forked = book.build(to="_build/fork/html")
    stock = book.build("-D", "nb_fork_executor=stock", to="_build/stock/html")

    assert forked.ran() == stock.ran() == {*KINDS, "index"}, forked.said + stock.said
    ours, theirs = forked.files(), stock.files()
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_random_states_are_a_chapters_own(book):
    """Forks copy memory: two chapters that set no seed may not draw the same numbers."""
    draw = (
        "import random, numpy, torch\n"
        "random.random(), float(numpy.random.rand()), torch.rand(1, dtype=torch.float64).item()"
    )
    book.page("index", draw)
    book.page("other", draw + "  # not the same page")

    built = book.build()

    first, second = eval(built.texts("index")[0]), eval(built.texts("other")[0])
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_what_other_programs_print_is_not_lost(book):
    """A real kernel reads it in a thread, late or never; a fork reads it when the cell ends."""
    shell = "subprocess.run(['sh', '-c', 'echo child; echo error >&2'], check=True).returncode"
    native = "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.puts(b'from C')\nlibc.fflush(None);"
    book.page("index", f"import subprocess\n{shell}", native, "print('after')")

    texts = book.build().texts()

    assert texts == ["child\n", "error\n", "0", "from C\n", "after\n"]
