"""How the executor is connected to Sphinx and MyST-NB."""

from __future__ import annotations

import atexit
import functools
import sys
import uuid
from pathlib import Path
from typing import Any

import myst_nb.sphinx_
from myst_nb.core.execute import create_client as stock_client
from myst_nb.core.read import create_nb_reader
from myst_nb.sphinx_ import NbMetadataCollector
from myst_nb.sphinx_ext import add_global_html_resources
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ConfigError
from sphinx.util import logging

from myst_nb_fork import bytecode, fingerprint, fork, order, profile, settings, system, trust
from myst_nb_fork.client import BookClient, Record, Setup, create_client
from myst_nb_fork.pages import Aside
from myst_nb_fork.progress import Progress
from myst_nb_fork.store import Store

log = logging.getLogger(__name__)


def connect(app: Sphinx) -> dict[str, Any]:
    """Add the settings and connect the events."""
    app.setup_extension("myst_nb")
    for name, default, kind in settings.SETTINGS:
        app.add_config_value(name, default, "", kind)
    for name, rebuild in (("fingerprint", "env"), ("programs", "env"), ("looks", "html")):
        app.add_config_value(f"nb_fork_{name}", "", rebuild, str)  # computed; a change rebuilds
    for event in ("summary", "asides", "answered"):
        app.add_event(f"nb-fork-{event}")
    # Before an extension after this one imports the package that the book is about.
    bytecode.check([*_sources(app), *_extensions(app), Path(__file__).parent])
    build = Build(app)
    app.connect("config-inited", build.prepare)
    app.connect("builder-inited", build.hook, priority=900)
    app.connect("env-get-outdated", trust.outdated)
    app.connect("env-before-read-docs", build.plan, priority=900)
    app.connect("env-updated", build.settle, priority=900)
    app.connect("build-finished", build.finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Build:
    """One build: what is decided before the readers fork, and what is left to them."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.token = uuid.uuid4().hex  # marks the records of this build
        self.setup: Setup | None = None
        self.progress = Progress()
        self._server: fork.Server | None = None
        self._home = Path()
        self._more: dict[str, str] = {}  # variables of the chapters besides the fixed ones
        self._read = ""  # what the sources were when the build began
        self._pending = ""

    def prepare(self, app: Sphinx, config: Config) -> None:
        """Compute the fingerprint; drop what a build left that did not reach its end."""
        if config.nb_fork_executor not in ("fork", "stock"):
            wrong = f"nb_fork_executor is {config.nb_fork_executor!r}"
            raise ConfigError(f'{wrong}; write "fork" or "stock" in conf.py.')
        conf = Path(app.confdir)
        sources = _sources(app)
        missing = [str(folder) for folder in sources if not folder.is_dir()]
        if missing:
            raise ConfigError(f"nb_fork_sources names {missing[0]}, which is no folder.")
        ours = Path(__file__).parent
        texts = [profile.settings(), config.nb_fork_executor, str(config.nb_fork_memory)]
        texts.append(repr(sorted(config.nb_fork_environment.items())))
        config.nb_fork_fingerprint = fingerprint.fingerprint([ours, *sources], *texts)
        paths = [*sources, *_extensions(app)]  # an aside may import what an extension brings
        self._more = profile.importing(paths) | config.nb_fork_environment
        self._read = fingerprint.of_sources(sources)
        config.nb_fork_programs = fingerprint.of_sources(_extensions(app))
        looks = (*config.templates_path, *config.html_static_path, *config.html_theme_path)
        config.nb_fork_looks = fingerprint.of_sources([conf / name for name in looks])
        trust.alone(app)
        trust.distrust(app)

    def hook(self, app: Sphinx) -> None:
        """Make the store and put our client in the place of MyST-NB's."""
        trust.mark(app)
        system.readers_end_with_us(True)
        _style_early(app)
        conf, config = Path(app.confdir), app.config
        folder = (conf / config.nb_fork_cache).resolve()
        root = conf.parent.resolve()
        site = [Path(app.outdir), Path(app.doctreedir), Path(app.outdir).parent / "jupyter_execute"]
        skip = (*_sources(app), *site, folder, Path(sys.prefix), Path(sys.base_prefix))
        store = Store(folder / "results", config.nb_fork_fingerprint, root, skip)
        store.open()
        self._home = profile.ready(folder / "home")
        self.setup = Setup(
            store=store,
            variables=profile.environment(self._home, self._more),
            executor=config.nb_fork_executor,
            source=Path(app.srcdir),
            memory=config.nb_fork_memory,
            server=self.server,
            begin=self.progress.begin,
            note=self._note,
            depend=self._depend,
            asides=self._asides,
            answered=self._answered,
        )
        myst_nb.sphinx_.create_client = functools.partial(create_client, self.setup, stock_client)

    def plan(self, app: Sphinx, env: BuildEnvironment, names: list[str]) -> None:
        """Before the readers fork: mark the build as begun, and start the server on a miss."""
        trust.begin(env, names)
        waiting = {name: text for name in names if (text := self._missing(env, name))}
        self._pending = "\n".join(waiting.values())
        self.progress.expect(len(waiting), len(names))
        if app.parallel > 1:
            names[:] = order.spread(names, self._work(env, waiting), app.parallel)
        if waiting:
            self.server()

    def settle(self, app: Sphinx, env: BuildEnvironment) -> None:
        """After all pages are read: note what they depend on, if it is still what they saw."""
        assert self.setup is not None
        if fingerprint.of_sources(_sources(app)) != self._read:
            self.setup.store.forget()
            told = "nb_fork_sources changed while chapters ran, and nobody knows what they saw"
            log.warning(f"{told}; build again.", type="nb_fork", subtype="changed")
        trust.end(app, env)

    def finish(self, app: Sphinx, error: Exception | None) -> None:
        """Stop the server, close the mark of an unfinished build, say what was done."""
        system.readers_end_with_us(False)
        if self._server is not None:
            self._server.stop()
        if error is None and not app._warncount:
            trust.close(app)
        if error is not None:
            return
        data = NbMetadataCollector.get_doc_data(app.env)
        seen = {page: item["nb_fork"] for page, item in data.items() if "nb_fork" in item}
        now = {page: item["record"] for page, item in seen.items() if item["token"] == self.token}
        everything = [item["record"] for item in seen.values()]
        extra = [line for lines in app.emit("nb-fork-summary", now) if lines for line in lines]
        self.progress.summary(now, everything, extra, Path(app.outdir))

    def _work(self, env: BuildEnvironment, waiting: dict[str, str]) -> dict[str, float]:
        """Guess what each page takes: what it took last time, else by its number of cells."""
        data = NbMetadataCollector.get_doc_data(env)
        known = {n: data[n]["nb_fork"]["record"] for n in waiting if "nb_fork" in data.get(n, {})}
        last = {name: record.seconds for name, record in known.items()}
        return {n: last.get(n, text.count("{code-cell}") / 20) for n, text in waiting.items()}

    def server(self) -> fork.Server:
        """Return the fork server: the one kept for us, or our own."""
        if self._server is not None and not self._server.alive():
            self._server.stop()  # it was killed; its folder would stay
            self._server = None
        if self._server is None:
            self._server = fork.running(self._more) or self._start()
        return self._server

    def _start(self) -> fork.Server:
        config = self.app.config
        called = config.nb_fork_preload_when.items()
        wanted = [name for word, name in called if word in self._pending]
        modules = dict.fromkeys([*config.nb_fork_preload, *wanted])
        server = fork.start(self._home, list(modules), self._more)
        atexit.register(server.stop)
        return server

    def _missing(self, env: BuildEnvironment, name: str) -> str:
        """Return the page's text if it is a notebook that has to be forked for, else ''."""
        path = env.doc2path(name)
        text = Path(path).read_text(encoding="utf-8")
        source = [text]
        self.app.emit("source-read", name, source)  # as Sphinx will when it reads the page
        text = source[0]
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
        if reader is None:
            return ""
        assert self.setup is not None
        mode = env.mystnb_config.execution_mode
        notebook = reader.read(text)
        client = create_client(self.setup, _no_client, notebook, str(path), env.mystnb_config, log)
        if not isinstance(client, BookClient) or client.executor != "fork":
            return ""
        key = self.setup.store.key(client.whole, client.executor)
        if mode == "cache" and self.setup.store.load(key) is not None:
            return ""
        return text

    def _note(self, page: str, record: Record) -> None:
        env = self.app.env
        value = {"token": self.token, "record": record}
        NbMetadataCollector.set_doc_data(env, env.docname, "nb_fork", value)
        self.progress.done(page, record)

    def _asides(self, notebook: NotebookNode) -> list[Aside]:
        """Ask the extensions which hidden cells they want to run with a notebook."""
        wanted = self.app.emit("nb-fork-asides", notebook)
        return [aside for one in wanted for aside in one or ()]

    def _answered(self, notebook: NotebookNode, outputs: list[list[NotebookNode]]) -> None:
        """Give the extensions what their hidden cells have shown."""
        self.app.emit("nb-fork-answered", notebook, outputs)

    def _depend(self, path: Path) -> None:
        if path.is_file():
            self.app.env.note_dependency(path)


def _sources(app: Sphinx) -> list[Path]:
    return settings.folders(Path(app.confdir), app.config.nb_fork_sources)


def _extensions(app: Sphinx) -> list[Path]:
    return settings.folders(Path(app.confdir), app.config.nb_fork_extensions)


def _style_early(app: Sphinx) -> None:
    """Copy MyST-NB's style sheet first: its address has a checksum, if it is already there.

    MyST-NB copies it last, so a first build's pages had other bytes than a second's.
    """
    if app.builder.format == "html":
        (Path(app.outdir) / "_static").mkdir(parents=True, exist_ok=True)
        add_global_html_resources(app, None)


def _no_client(*_args: Any) -> None:
    return None
