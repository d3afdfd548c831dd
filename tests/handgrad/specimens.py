"""Small broken programs, each with the reasons that a diagnosis must give.

A program has three parts: what stands before the forward pass, the forward pass
itself, and what follows it. Repairs are applied to these parts as text, so an
operation that a repair replaces is written with the same names as in the repair.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """A broken program, the question asked of it, and the answer expected.

    Attributes:
        setup: Runs once.
        forward: The forward pass; a repair may ask to run it again.
        after: What follows it.
        subject: The tensor asked about.
        loss: The expression given as loss, or None.
        codes: All reasons expected, in order.
        certainty: How sure the one at ``at`` must be.
        at: Which of the reasons has the repair that is executed.
        names: The operation that the evidence must name.
        cured: What must hold after the repair.
        again: What "compute again" stands for in a repair; the forward pass unless given.
        run_my_code: Whether code of the program's own may be run for the answer.
    """

    setup: str
    forward: str = "loss = (w * x).sum()"
    after: str = "loss.backward()"
    subject: str = "w"
    loss: str | None = "loss"
    codes: tuple[str, ...]
    certainty: str = "certain"
    at: int = 0
    names: str = ""
    cured: str = "arrived({subject})"
    again: str = ""
    run_my_code: bool = False


X = "x = torch.tensor([2.0, -1.0, 0.5])\n"
W = X + "w = torch.tensor([1.0, 2.0, -3.0], requires_grad=True)\n"
GROUP = ("not-called", "cleared", "left-out", "returned")
FREED = ("cleared", "left-out", "returned", "failed")

TENSOR = {
    "integers": Specimen(
        setup=X + "w = torch.tensor([1, 2, 3])",
        after="",
        codes=("integer-dtype",),
        names="seen: its dtype is torch.int64\n",
    ),
    "truth values": Specimen(
        setup=X + "w = torch.tensor([True, False, True])", after="", codes=("integer-dtype",)
    ),
    "result of argmax": Specimen(
        setup=X + "w = x.argmax()", forward="loss = w * 2.0", after="", codes=("integer-dtype",)
    ),
    "inference tensor": Specimen(
        setup=X + "with torch.inference_mode():\n    w = torch.ones(3)",
        after="",
        codes=("inference-tensor",),
        names="seen: is_inference() is True\n",
    ),
    "the loss itself": Specimen(
        setup=W, after="", subject="loss", codes=("is-the-loss",), cured="loss.grad == 1"
    ),
    "a leaf as the loss": Specimen(
        setup="w = torch.tensor(3.0, requires_grad=True)",
        forward="loss = w",
        after="",
        loss="w",
        codes=("is-the-loss",),
        names="seen: w and the loss are one tensor\n",
        cured="w.grad == 1",
    ),
    "the loss itself, the graph freed": Specimen(
        setup=W, subject="loss", codes=("is-the-loss",), cured="loss.grad == 1"
    ),
    "not retained": Specimen(
        setup=W,
        forward="h = w * x\nloss = (h * h).sum()",
        after="",
        subject="h",
        codes=("not-retained",),
        names="seen: MulBackward0 made it; is_leaf=False, retains_grad=False\n",
    ),
    "not retained, after backward": Specimen(
        setup=W, forward="h = w * x\nloss = (h * h).sum()", subject="h", codes=("not-retained",)
    ),
    "not retained, no loss given": Specimen(
        setup=W,
        forward="h = w * x\nloss = (h * h).sum()",
        after="",
        subject="h",
        loss=None,
        codes=("not-retained",),
        names="seen: it came from w\n",
    ),
    "not retained and not in the graph": Specimen(
        setup=W,
        forward="h = w * x\nloss = (h.detach() * w).sum()",
        after="",
        subject="h",
        codes=("not-retained", "used-but-detached"),
        at=1,
        cured="h.retain_grad() is None and loss.backward() is None and arrived(h)",
    ),
    "scaled after creation": Specimen(
        setup=X + "w = torch.ones(3, requires_grad=True) * 0.01",
        codes=("not-retained", "leaf-lost"),
        certainty="one of",
        at=1,
    ),
    "converted after creation": Specimen(
        setup="x = torch.ones(3).double()\nw = torch.ones(3, requires_grad=True).double()",
        codes=("not-retained", "leaf-lost"),
        certainty="one of",
        at=1,
        names="seen: ToCopy made it from one leaf that nobody else names\n",
    ),
    "reshaped after creation": Specimen(
        setup="x = torch.ones(3, 1)\nw = torch.ones(3, requires_grad=True).view(3, 1)",
        codes=("not-retained", "leaf-lost"),
        certainty="one of",
        at=1,
        names="View",
    ),
    "updated by a new name": Specimen(
        setup=W + "(w * x).sum().backward()\nw = w - 0.1 * w.grad",
        codes=("not-retained", "leaf-lost"),
        certainty="one of",
        at=1,
        names="Sub",
    ),
    "view under no_grad": Specimen(
        setup=W + "with torch.no_grad():\n    v = w[0:2]",
        forward="loss = (v * v).sum() + w.sum()",
        subject="v",
        codes=("view-under-no-grad",),
        names="seen: it is a view of w, which is tracked, yet it has no grad_fn\n",
    ),
    "view made before its base was tracked": Specimen(
        setup="w = torch.ones(3)\nv = w.view(3, 1)\nw.requires_grad_()",
        forward="loss = (v * v).sum() + w.sum()",
        subject="v",
        codes=("view-under-no-grad",),
    ),
    "trained, then frozen": Specimen(
        setup=W + "(w * x).sum().backward()\nw.requires_grad_(False)",
        after="",
        names="seen: requires_grad=False, yet .grad is a tensor\n",
        codes=("stale-gradient",),
        cured="w.grad is None",
    ),
    "frozen parameter": Specimen(
        setup=X + "w = torch.nn.Parameter(torch.ones(3), requires_grad=False)",
        after="",
        names="seen: it is an nn.Parameter with requires_grad=False\n",
        codes=("frozen-parameter",),
    ),
    "detached": Specimen(
        setup=W + "d = w.detach()",
        forward="loss = (d * w).sum()",
        subject="d",
        codes=("shares-memory",),
        certainty="one of",
        names="seen: it is a leaf with requires_grad=False\n"
        "    seen: it lies on the memory of w, which is tracked\n",
    ),
    "taken by .data": Specimen(
        setup=W + "d = w.data[1:]",
        forward="loss = (d * w[1:]).sum()",
        subject="d",
        codes=("shares-memory",),
        certainty="one of",
    ),
    "through NumPy": Specimen(
        setup=W + "d = torch.from_numpy(w.detach().numpy())",
        forward="loss = (d * w).sum()",
        subject="d",
        codes=("shares-memory",),
        certainty="one of",
    ),
    "detached from a leaf that only the graph holds": Specimen(
        setup="import weakref\ndef make():\n    w = torch.ones(3, requires_grad=True)\n"
        "    return w.detach(), w * 2",
        forward="d, h = make()\nloss = (d * h).sum()",
        subject="d",
        names="it lies on the memory of a leaf of shape (3,), which is tracked\n",
        codes=("shares-memory",),
        certainty="one of",
        cured="True",
    ),
    "plain data": Specimen(
        setup=W,
        subject="x",
        names="seen: it is a leaf with requires_grad=False\n"
        "    seen: no tracked tensor in sight shares its memory\n",
        codes=("untracked",),
        certainty="one of",
        cured="arrived(x)",
    ),
    "made under no_grad": Specimen(
        setup=W + "with torch.no_grad():\n    v = w * 2",
        forward="loss = (v * w).sum()",
        subject="v",
        codes=("untracked",),
        certainty="one of",
    ),
    "updated under no_grad by a new name": Specimen(
        setup=W + "(w * x).sum().backward()\nwith torch.no_grad():\n    w = w - 0.1 * w.grad",
        after="",
        codes=("untracked",),
        certainty="one of",
    ),
}

LOSS = {
    "item": Specimen(
        setup=W,
        forward="loss = (w * x).sum().item()",
        after="",
        names="seen: it is a float\n",
        codes=("loss-is-number",),
    ),
    "float": Specimen(
        setup=W, forward="loss = float((w * x).sum())", after="", codes=("loss-is-number",)
    ),
    "math": Specimen(
        setup=W + "import math",
        forward="loss = math.sin((w * x).sum())",
        after="",
        codes=("loss-is-number",),
    ),
    "numpy": Specimen(
        setup=W,
        forward="loss = (w * x).sum().numpy(force=True)",
        after="",
        codes=("loss-is-number",),
    ),
    "no_grad": Specimen(
        setup=W,
        forward="with torch.no_grad():\n    loss = (w * x).sum()",
        after="",
        names="seen: loss: shape (), float32, leaf, requires_grad=False\n",
        codes=("loss-untracked",),
    ),
    "inference_mode": Specimen(
        setup=W,
        forward="with torch.inference_mode():\n    h = w * x\nloss = 2.0",
        after="",
        codes=("loss-is-number",),
        cured="h.requires_grad",
    ),
    "argmax": Specimen(
        setup=W,
        forward="h = w * x\nloss = h.argmax() * 1.0",
        after="",
        codes=("loss-untracked",),
        certainty="certain",
    ),
    "comparison": Specimen(
        setup=W,
        forward="h = w * x\nloss = (h > 0).float().mean()",
        after="",
        codes=("loss-untracked",),
    ),
    "long": Specimen(
        setup=W, forward="loss = (w * x).long().sum() * 1.0", after="", codes=("loss-untracked",)
    ),
    "cast to integers": Specimen(
        setup=W,
        forward="loss = (w * x).to(torch.int64).sum() * 1.0",
        after="",
        codes=("loss-untracked",),
    ),
    "detached at the end": Specimen(
        setup=W, forward="loss = (w * x).sum().detach()", after="", codes=("loss-untracked",)
    ),
    "rebuilt by torch.tensor": Specimen(
        setup=W + "import warnings\nwarnings.simplefilter('ignore')",
        forward="h = (w * x).sum()\nloss = torch.tensor([h, h]).sum()",
        after="",
        codes=("loss-untracked",),
    ),
    "a vector": Specimen(
        setup=W,
        forward="loss = w * x",
        after="",
        codes=("loss-not-scalar",),
        names="seen: loss: shape (3,), float32, result of an operation, requires_grad=True\n",
    ),
    "a complex number": Specimen(
        setup=W, forward="loss = (w * x * 1j).sum()", after="", codes=("loss-not-scalar",)
    ),
    "a vector that does not reach it": Specimen(
        setup=W + "v = torch.ones(3, requires_grad=True)",
        forward="loss = v * x",
        after="",
        codes=("not-in-graph", "loss-not-scalar"),
        cured="True",
    ),
}

PATH = {
    "flag set too late": Specimen(
        setup=W + "v = torch.ones(3)",
        forward="loss = (w * v).sum()",
        after="v.requires_grad_()",
        subject="v",
        codes=("flag-set-too-late",),
        names=" saved it, on an edge without gradient\n",
    ),
    "unfrozen too late": Specimen(
        setup="net = torch.nn.Linear(3, 1).requires_grad_(False)\nw = net.weight\n"
        "x = torch.ones(2, 3, requires_grad=True)",
        forward="loss = net(x).sum()",
        after="net.requires_grad_()",
        codes=("flag-set-too-late", "used-but-detached"),
        certainty="one of",
        names="Addmm (node 1 of trace, AddmmBackward0, output (2, 1)) saved a view of it",
    ),
    "used detached": Specimen(
        setup=W + "v = torch.ones(3, requires_grad=True)",
        forward="loss = (v * w.detach()).sum()",
        codes=("used-but-detached",),
        names=" saved its memory, on an edge without gradient\n",
        after="",
        cured="loss.backward() is None and arrived(w)",
    ),
    "used by .data": Specimen(
        setup=W + "v = torch.ones(3, requires_grad=True)",
        forward="loss = (v * w.data).sum()",
        codes=("used-but-detached",),
        after="",
        cured="loss.backward() is None and arrived(w)",
    ),
    "another leaf on the same memory": Specimen(
        setup=W,
        forward="v = w.detach()\nv.requires_grad_()\nloss = (v + x).sum()",
        codes=("used-but-detached",),
        names="v lies on its memory",
        after="",
        cured="loss.backward() is None and arrived(w)",
    ),
    "detached where nothing is saved": Specimen(
        setup=W + "v = torch.zeros(3, requires_grad=True)",
        forward="loss = (v + w.detach()).sum()",
        codes=("not-in-graph",),
        after="",
        cured="loss.backward() is None and arrived(w)",
    ),
    "deep copy": Specimen(
        setup=W + "import copy",
        forward="v = copy.deepcopy(w)\nloss = (v * v).sum()",
        codes=("not-in-graph", "replaced-by-copy"),
        certainty="cannot be known",
        at=1,
        after="",
        cured="loss.backward() is None and arrived(w)",
    ),
    "rebuilt from numbers": Specimen(
        setup=W + "u = torch.ones(3, requires_grad=True)",
        forward="v = torch.tensor(w.tolist())\nloss = (v * u).sum()",
        names=" holds a tensor of the same shape with the same numbers\n",
        codes=("not-in-graph", "replaced-by-copy"),
        certainty="cannot be known",
        at=1,
        after="",
        cured="len(seen) == 1",
    ),
    "a sample": Specimen(
        setup=W + "u = torch.ones(3, requires_grad=True)",
        forward="h = torch.distributions.Normal(w, 1.0).sample()\nloss = (h * u).sum()",
        codes=("not-in-graph",),
        after="",
        cured="loss.backward() is None and arrived(w)",
    ),
    "a block under no_grad": Specimen(
        setup=W + "u = torch.ones(3, requires_grad=True)",
        forward="with torch.no_grad():\n    h = w * x\nloss = (h * u).sum()",
        codes=("not-in-graph",),
        after="",
        cured="loss.backward() is None and arrived(w)",
    ),
    "not used": Specimen(
        setup=W + "u = torch.ones(3, requires_grad=True)",
        forward="loss = (u * x).sum()",
        codes=("not-in-graph",),
        names="seen: the one leaf behind loss is another tensor\n",
        after="",
        cured="len(seen) == 0",
    ),
    "another leaf as the loss": Specimen(
        setup=W,
        forward="loss = torch.tensor(1.0, requires_grad=True)",
        codes=("not-in-graph",),
        names="seen: loss is a leaf: no operation made it\n",
        after="",
        cured="len(seen) == 0",
    ),
    "gradient of another loss": Specimen(
        setup=W + "u = torch.ones(3, requires_grad=True)\n(w * x).sum().backward()",
        forward="loss = (u * w.detach()).sum()",
        names="seen: its .grad is a tensor, but this graph does not have it\n",
        codes=("from-elsewhere", "used-but-detached"),
        after="",
        cured="torch.equal(w.grad, x + u)",
    ),
    "another result of an operation": Specimen(
        setup=W,
        forward="h, other = w[:2].chunk(2)\nh.retain_grad()\nloss = (other * other).sum()",
        subject="h",
        codes=("not-in-graph",),
        names="Split (node 2 of trace, SplitBackward0, output (1,), (1,)) made it, but only its "
        "other results are used\n",
        cured="len(seen) == 0",
    ),
    "too deep": Specimen(
        setup="import threading\nw = torch.tensor(1.0, requires_grad=True)",
        forward="h = w\nfor _ in range(30_000):\n    h = h + 1\nloss = h * w",
        after="",
        codes=("too-deep",),
        certainty="cannot be known",
        cured="'not-called (one of)' in printed",
    ),
}

IDENTITY = """class Identity(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        return z.clone()
    @staticmethod
    def backward(ctx, grad_output):
        return None
"""

ENGINE = {
    "changed in place": Specimen(
        setup=W,
        forward="z = w.exp()\ny = (z * z).sum()\nz.add_(1)\nloss = y + z.sum()",
        after="",
        codes=("changed-in-place",),
        names="Mul",
        cured="loss.backward() is None and arrived(w)",
    ),
    "Function returned None": Specimen(
        setup=W + IDENTITY,
        forward="loss = (Identity.apply(w) * x).sum()",
        after="loss.backward(retain_graph=True)",
        codes=("function-returned-none",),
        names=", output (3,)) returned None\n",
        run_my_code=True,
    ),
    "Function that may have returned None": Specimen(
        setup=W + IDENTITY,
        forward="loss = (Identity.apply(w) * x).sum()",
        after="loss.backward(retain_graph=True)",
        codes=(*GROUP, "function-returned-none"),
        certainty="cannot be known",
        names="The rule of IdentityBackward, a Function written in Python, is code that was not "
        "run; handgrad.why_no_grad(..., run_my_code=True) runs it.",
        at=4,
    ),
    "Function returned None, the graph freed": Specimen(
        setup=W + IDENTITY,
        forward="loss = (Identity.apply(w) * x).sum()",
        codes=(*FREED, "function-returned-none"),
        certainty="one of",
        at=4,
    ),
    "Function on one way of two": Specimen(
        setup=W + IDENTITY,
        forward="loss = (Identity.apply(w) * x + w * x).sum()",
        after="loss.backward(inputs=[w])\nw.grad = None",
        codes=FREED,
        certainty="one of",
    ),
    "not called": Specimen(
        setup=W,
        after="",
        names="seen: the graph still holds what it saved: "
        "nothing has run, or with retain_graph=True\n",
        codes=GROUP,
        certainty="one of",
    ),
    "cleared by zero_grad": Specimen(
        setup=W,
        after="loss.backward()\ntorch.optim.SGD([w], 0.1).zero_grad()",
        names="seen: the graph was freed, so a backward pass or autograd.grad has run\n",
        codes=FREED,
        certainty="one of",
    ),
    "cleared by a hook": Specimen(
        setup=W
        + "def forget(p):\n    p.grad = None\nh = w.register_post_accumulate_grad_hook(forget)",
        codes=FREED,
        certainty="one of",
        names="a hook that may clear it: forget",
        cured="w.grad is None",
    ),
    "left out of inputs": Specimen(
        setup=W + "u, v = (torch.ones(3, requires_grad=True) for _ in range(2))",
        forward="loss = (w * u * v).sum()",
        after="loss.backward(inputs=[u, v])",
        codes=FREED,
        certainty="one of",
        names="of the 2 other leaves of the graph, 2 have a .grad",
        at=1,
    ),
    "another loss has freed what they share": Specimen(
        setup=W + "u = torch.ones(3, requires_grad=True)",
        forward="h = (u * x).exp()\nfirst, loss = h.sum(), (w * h).sum() * 2",
        after="first.backward()",
        codes=("partly-freed", "not-called"),
        names="seen: the Exp that made h was freed, and what loss computed after it was not\n",
    ),
    "returned by autograd.grad": Specimen(
        setup=W,
        after="g = torch.autograd.grad(loss, w)",
        codes=FREED,
        certainty="one of",
        at=2,
    ),
    "cleared, the graph retained": Specimen(
        setup=W,
        after="loss.backward(retain_graph=True)\nw.grad = None",
        codes=GROUP,
        certainty="one of",
        at=1,
    ),
    "nothing was saved": Specimen(
        setup=W,
        forward="loss = (w + 1).sum()",
        after="g = torch.autograd.grad(loss, w)",
        names="seen: no operation of the graph saved anything, so a pass would leave no trace\n",
        codes=GROUP,
        certainty="cannot be known",
        at=3,
    ),
    "no loss given": Specimen(
        setup=W,
        after="",
        loss=None,
        names="seen: no loss was given, so no graph could be asked\n",
        codes=GROUP,
        certainty="cannot be known",
    ),
    "retained, not called": Specimen(
        setup=W,
        forward="h = w * x\nh.retain_grad()\nloss = (h * h).sum()",
        after="",
        subject="h",
        codes=GROUP,
        certainty="one of",
    ),
}

RETAIN = "loss.backward(retain_graph=True)"

VALUE = {
    "dead relu": Specimen(
        setup=W,
        forward="z = w * 0.1 - 5\nloss = torch.relu(z).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Relu",
    ),
    "round": Specimen(
        setup=W,
        forward="z = w * x\nloss = torch.round(z).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Round",
    ),
    "round of a number": Specimen(
        setup="x = torch.tensor(2.0)\nw = torch.tensor(0.7, requires_grad=True)",
        forward="z = w * x\nloss = torch.round(z)",
        after=RETAIN,
        codes=("zero-flow",),
        names="seen: the Round that made loss turned it into zeros: ",
    ),
    "round of a half": Specimen(
        setup=W,
        forward="first, second = (w * x).chunk(2)\nz = first * 2\nloss = torch.round(z).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Round",
        cured="w.grad.tolist() == [4.0, -2.0, 0.0]",
    ),
    "floor": Specimen(
        setup=W,
        forward="z = w * x\nloss = (torch.floor(z) * x).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Floor",
    ),
    "sign": Specimen(
        setup=W,
        forward="z = w * x\nloss = torch.sign(z).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Sign",
    ),
    "clamp": Specimen(
        setup=W,
        forward="z = w * x\nloss = torch.clamp(z, 10.0, 20.0).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Clamp",
    ),
    "where": Specimen(
        setup=W + "other = torch.zeros(3)\nchosen = torch.tensor(False)",
        forward="z = w * x\nloss = torch.where(chosen, z, other).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Where",
    ),
    "saturated sigmoid": Specimen(
        setup=W,
        forward="z = w * w * 1000\nloss = torch.sigmoid(z).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Sigmoid",
    ),
    "saturated tanh": Specimen(
        setup=W,
        forward="z = w * w * 1000\nloss = torch.tanh(z).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Tanh",
    ),
    "times zero": Specimen(
        setup=W,
        forward="loss = (w * (x * 0)).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Mul",
        cured="'loss = (w * (x * 0)).sum()' in printed or 'recorded at' in printed",
    ),
    "at the minimum": Specimen(
        setup=W,
        forward="loss = ((w - w.detach()) ** 2).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="Pow",
        cured="'recorded at' in printed",
    ),
    "cancelled": Specimen(
        setup=W,
        forward="loss = (w - w).sum()",
        after=RETAIN,
        codes=("zero-flow",),
        names="the gradients that meet at w add up to zero: the ways cancel",
        cured="'2 paths' in printed",
    ),
    "zeros, the graph freed": Specimen(
        setup=W,
        forward="z = w * 0.1 - 5\nloss = torch.relu(z).sum()",
        codes=("zero-flow", "zero-written"),
        certainty="one of",
        cured="'zero-flow' in printed",
    ),
    "zeros written": Specimen(
        setup=W,
        after=RETAIN + "\ntorch.optim.SGD([w], 0.1).zero_grad(set_to_none=False)",
        codes=("zero-written",),
    ),
    "hook that writes zeros": Specimen(
        setup=W + "handle = w.register_hook(torch.zeros_like)",
        after=RETAIN,
        codes=("zero-written", "hook"),
        certainty="one of",
        at=1,
    ),
    "root of zero": Specimen(
        setup=W,
        forward="z = (w - w.detach()) * x\nloss = torch.sqrt(z).sum()",
        after=RETAIN,
        codes=("not-finite",),
        names="Sqrt",
    ),
    "root behind a where": Specimen(
        setup=W,
        forward="z = (w - w.detach()) * x\n"
        "loss = torch.where(z > 0, torch.sqrt(z), 0.0).sum() + w.sum()",
        after=RETAIN,
        codes=("not-finite",),
        names="Sqrt",
    ),
    "logarithm of zero": Specimen(
        setup=W,
        forward="z = w - w.detach()\nloss = torch.log(z).sum()",
        after=RETAIN,
        codes=("not-finite",),
        names="Log",
    ),
    "division by zero": Specimen(
        setup=W,
        forward="a, z = w, x * 0\nloss = (a / z).sum()",
        after=RETAIN,
        codes=("not-finite",),
        names="Div",
    ),
    "NaN among the data": Specimen(
        setup=W + "target = torch.tensor([0.0, float('nan'), 1.0])",
        forward="loss = ((w * x - target) ** 2).sum()",
        after=RETAIN,
        codes=("not-finite",),
        names="Pow (node 1 of trace, PowBackward0, output (3,)) made it so: numbers that it saved",
        cured="'recorded at' in printed",
    ),
    "overflow": Specimen(
        setup=W,
        forward="z = w * w * 100\nloss = torch.exp(z).sum() * 1e-30",
        after=RETAIN,
        codes=("not-finite",),
        names="Exp",
        cured="w.grad.isfinite().all()",
    ),
    "NaN, the graph freed": Specimen(
        setup=W,
        forward="z = w - w.detach()\nloss = torch.sqrt(z).sum()",
        codes=("not-finite",),
        certainty="cannot be known",
        cured="'Sqrt' in printed or 'not-finite' in printed",
    ),
    "NaN of an earlier pass": Specimen(
        setup=W + "(w * float('nan')).sum().backward()",
        after=RETAIN,
        codes=("not-finite",),
        certainty="cannot be known",
        cured="w.grad is None and loss.backward() is None and arrived(w)",
    ),
    "twice": Specimen(
        setup=W,
        after=RETAIN + "\n" + RETAIN,
        codes=("accumulated", "differs"),
        certainty="one of",
        names="2 times",
        cured="torch.equal(w.grad, x)",
    ),
    "seven times": Specimen(
        setup=W,
        after="for _ in range(7):\n    " + RETAIN,
        codes=("accumulated", "differs"),
        certainty="one of",
        names="7 times",
        cured="torch.equal(w.grad, x)",
    ),
    "added to another": Specimen(
        setup=W + "(w * w).sum().backward()",
        after=RETAIN,
        codes=("differs",),
        certainty="one of",
        cured="torch.equal(w.grad, x)",
    ),
    "clipped": Specimen(
        setup=W,
        after=RETAIN + "\ntorch.nn.utils.clip_grad_norm_([w], 0.1)",
        codes=("differs",),
        certainty="one of",
        cured="torch.equal(w.grad, x)",
    ),
    "hook that scales": Specimen(
        setup=W + "handle = w.register_hook(lambda g: g * 10)",
        after=RETAIN,
        codes=("hook", "accumulated", "differs"),
        certainty="one of",
        cured="torch.equal(w.grad, x)",
    ),
    "hook that bends": Specimen(
        setup=W + "handle = w.register_hook(lambda g: g.abs() + 1)",
        after=RETAIN,
        codes=("hook", "differs"),
        certainty="one of",
        names="<lambda>",
        cured="torch.equal(w.grad, x)",
    ),
}

FAILING = "try:\n    loss.backward()\nexcept RuntimeError:\n    pass"
BLOCK = (
    "from torch.utils.checkpoint import checkpoint, checkpoint_sequential\n"
    "torch.manual_seed(0)\n"
    "block = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())\n"
    "head = torch.nn.Linear(3, 1)\nx = torch.randn(2, 3)\n"
)

IN_PLACE = {
    "asked after backward failed": Specimen(
        setup=W,
        forward="y = w.exp()\nloss = (y * 2).sum()\ny.add_(1)",
        after=FAILING,
        codes=("changed-in-place",),
        names="y was changed in place after loss had saved it",
    ),
    "an activation that is counted up": Specimen(
        setup=W,
        forward="y = torch.sigmoid(w * x)\nloss = y.sum()\ny += 1",
        after=FAILING,
        codes=("changed-in-place",),
        names="y += 1\n",
    ),
    "one entry written": Specimen(
        setup=W,
        forward="y = w.tanh()\nloss = (y * x).sum()\ny[0] = 5.0",
        after=FAILING,
        codes=("changed-in-place",),
        names="type: # before y[0] = 5.0:\n    type: y = y.clone()\n",
    ),
    "a step between two losses": Specimen(
        setup="torch.manual_seed(0)\nnet = torch.nn.Linear(3, 1)\n"
        "x = torch.ones(2, 3, requires_grad=True)\nopt = torch.optim.SGD(net.parameters(), 0.1)",
        forward="y = net(x)\nloss = (y ** 2).sum()",
        after="y.sum().backward(retain_graph=True)\nopt.step()\nopt.zero_grad()\n" + FAILING,
        subject="net.weight",
        codes=("changed-in-place",),
        names="saved net.weight; it is at version 2 where version 1 was saved\n",
    ),
    "an update under no_grad": Specimen(
        setup=W,
        forward="loss = (w * w).sum()",
        after="with torch.no_grad():\n    w -= 0.1\n" + FAILING,
        codes=("changed-in-place", *GROUP),
        names="as optimizer.step() or an update under no_grad does\n",
    ),
    "an embedding that renormalises": Specimen(
        setup="torch.manual_seed(0)\ntable = torch.nn.Embedding(4, 3, max_norm=0.1)\n"
        "u = torch.ones(3, requires_grad=True)\nindex = torch.tensor([1])",
        forward="loss = (table.weight @ u).sum() + table(index).sum()",
        after=FAILING,
        subject="u",
        codes=("changed-in-place",),
        names="reads it too: with max_norm it scales rows in place\n",
    ),
}

HIDDEN = {
    "inside a reentrant checkpoint": Specimen(
        setup=BLOCK + "x.requires_grad_()",
        forward="loss = head(checkpoint(block, x, use_reentrant=True)).mean()",
        after="",
        subject="block[0].weight",
        codes=("hidden", "not-in-graph"),
        certainty="cannot be known",
        names="is a reentrant checkpoint: what it used inside is not recorded\n",
        cured="'hides' not in str(handgrad.why_no_grad(block[0].weight, loss))",
    ),
    "inside a sequence of reentrant checkpoints": Specimen(
        setup=BLOCK + "x.requires_grad_()",
        forward="loss = head(checkpoint_sequential(block, 2, x, use_reentrant=True)).mean()",
        after="",
        subject="block[0].bias",
        codes=("hidden", "not-in-graph"),
        certainty="cannot be known",
        cured="'hides' not in str(handgrad.why_no_grad(block[0].bias, loss))",
    ),
    "a reentrant checkpoint that nothing tracked enters": Specimen(
        setup=BLOCK,
        forward="loss = head(checkpoint(block, x, use_reentrant=True)).mean()",
        subject="block[0].weight",
        codes=("checkpoint-cut", "not-in-graph"),
        certainty="one of",
        names="has checkpoint(block, x, use_reentrant=True)\n",
    ),
    "an adapter behind a frozen embedding": Specimen(
        setup=BLOCK
        + "table = torch.nn.Embedding(5, 3).requires_grad_(False)\nindex = torch.tensor([1, 2])",
        forward="h = checkpoint(block, table(index), use_reentrant=True)\nloss = head(h).sum()",
        subject="block[0].bias",
        codes=("checkpoint-cut", "not-in-graph"),
        certainty="one of",
    ),
    "checkpoints all the way, and the loss has no graph": Specimen(
        setup=BLOCK,
        forward="loss = checkpoint(block, x, use_reentrant=True).sum()",
        after="",
        subject="block[0].weight",
        codes=("loss-untracked", "checkpoint-cut"),
        certainty="one of",
        at=1,
        cured="loss.backward() is None and arrived(block[0].weight)",
    ),
    "inside a Function": Specimen(
        setup=W
        + "u = torch.ones(3, requires_grad=True)\n"
        + "class Scaled(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, z):\n"
        "        return z * w\n    @staticmethod\n    def backward(ctx, g):\n"
        "        return g * w.detach()\n",
        forward="loss = Scaled.apply(u).sum()",
        after="",
        codes=("hidden", "not-in-graph"),
        certainty="cannot be known",
        names="give it to Scaled.apply() as an argument",
        cured="True",
    ),
}

PARTLY_FREED = {
    "a part was freed by another pass": Specimen(
        setup="w = torch.tensor(2.0, requires_grad=True)\n"
        "v = torch.tensor(0.5, requires_grad=True)",
        forward="h = (w * v).exp()\nloss = h ** 2",
        after="g = torch.autograd.grad(h, v)",
        codes=("partly-freed", "not-called"),
        names="An earlier backward pass freed what lies behind h, so loss.backward() raises.",
    ),
    "a hidden state carried over": Specimen(
        setup="torch.manual_seed(0)\nrnn = torch.nn.RNNCell(2, 2)\nh = torch.zeros(1, 2)\n"
        "x = torch.ones(1, 2)\nh = rnn(x, h)\nh.sum().backward()\nrnn.zero_grad()",
        forward="out = rnn(x, h)\nloss = out.sum()",
        after="",
        subject="rnn.weight_hh",
        codes=("partly-freed", "not-called"),
        names="type: h = h.detach()\n",
    ),
    "features shared with an earlier loss": Specimen(
        setup=W + "u = torch.ones(3, requires_grad=True)\nfeatures = (w * x).tanh()\n"
        "features.sum().backward()",
        forward="loss = (u * features).exp().sum()",
        after="",
        subject="u",
        codes=("partly-freed", "not-called"),
        names="type: features = features.detach()\n",
    ),
    "a gradient of before, and backward that must fail": Specimen(
        setup=W + "u = torch.ones(3, requires_grad=True)\nfeatures = (w * x).tanh()\n"
        "features.sum().backward()\n(u * x).sum().backward()",
        forward="loss = (u * features).exp().sum()",
        after="",
        subject="u",
        codes=("partly-freed", "differs"),
        cured="not torch.equal(u.grad, x)",
    ),
}

ONCE = """class Once(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([1.0, 2.0, -3.0]))
        self.register_buffer("squared", self.w * self.w)
    def forward(self, x):
        return (x * self.squared).exp().sum()
"""
FLAT = """class Flat(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.flat = torch.nn.Parameter(torch.linspace(-1.0, 1.0, 8))
        self.inner = torch.nn.Linear(3, 2)
        del self.inner.weight, self.inner.bias
        self.inner.weight, self.inner.bias = self.flat[:6].view(2, 3), self.flat[6:]
"""

NAMES = {
    "a buffer that was computed once, second step": Specimen(
        setup=X + ONCE + "net = Once()\nnet(x).backward()\nnet.zero_grad()",
        forward="loss = net(x)",
        after="",
        subject="net.w",
        codes=("partly-freed", "not-called"),
        names="net keeps net.squared as a tensor with a graph of its own: compute it in forward()",
        again="net.squared = net.w * net.w\nloss = net(x)",
    ),
    "a buffer that was computed once, the graph retained": Specimen(
        setup=X + ONCE + "net = Once()\nnet(x).backward(retain_graph=True)\nnet.zero_grad()",
        forward="loss = net(x)",
        after="loss.backward(retain_graph=True)",
        subject="net.w",
        codes=("computed-once",),
        certainty="cannot be known",
        names="net.squared has a graph of its own and seems to be older than this forward pass",
        cured="True",
    ),
    "a weight that is computed from one flat parameter": Specimen(
        setup=X + FLAT + "net = Flat()",
        forward="loss = net.inner(x).exp().sum()",
        subject="net.inner.weight",
        codes=("computed", "not-retained"),
        names="net.inner.weight is no parameter: it was computed from net.flat",
        cured="'tensor(' in printed",
    ),
    "a weight with the old weight norm": Specimen(
        setup=X + "import warnings\nwarnings.simplefilter('ignore')\ntorch.manual_seed(0)\n"
        "net = torch.nn.utils.weight_norm(torch.nn.Linear(3, 1))",
        forward="loss = net(x).sum()",
        subject="net.weight",
        codes=("computed", "not-retained"),
        names="net.weight_v",
        cured="'tensor(' in printed",
    ),
    "a bias that was shifted in __init__": Specimen(
        setup=X + "torch.manual_seed(0)\nnet = torch.nn.Linear(3, 1)\n"
        "shift = torch.nn.Parameter(torch.ones(1))\ndel net.bias\nnet.bias = shift * 2",
        forward="loss = net(x).sum()",
        subject="net.bias",
        codes=("computed", "not-retained"),
        names="it was computed from shift",
        cured="'tensor(' in printed",
    ),
    "a parametrized weight": Specimen(
        setup=X + "torch.manual_seed(0)\n"
        "net = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 1))",
        forward="loss = net(x).sum()",
        subject="net.weight",
        codes=("made-anew",),
        names="type: print(net.parametrizations.weight.original1.grad)\n",
        cured="'tensor(' in printed",
    ),
    "a row of a table": Specimen(
        setup="table = torch.nn.Embedding(4, 3)\nindex = torch.tensor([1])",
        forward="loss = table(index).sum()",
        subject="table.weight[1]",
        codes=("made-anew",),
        names="type: print(table.weight.grad[1])\n",
        cured="printed == 'tensor([1., 1., 1.])\\n'",
    ),
    "a transposed weight": Specimen(
        setup=X + "net = torch.nn.Sequential(torch.nn.Linear(3, 1))",
        forward="loss = net(x).sum()",
        subject="net[0].weight.T",
        codes=("made-anew",),
        names="type: print(net[0].weight.grad)\n",
        cured="'tensor(' in printed",
    ),
    "a parameter wrapped in a parameter": Specimen(
        setup=X + "class Mean(torch.nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        mu = torch.nn.Parameter(torch.ones(3))\n"
        "        self.weight = torch.nn.Parameter(mu)\n        self.weight.mu = mu\n"
        "layer = Mean()",
        forward="loss = (layer.weight.mu * x).sum()",
        subject="layer.weight",
        codes=("used-but-detached",),
        names="seen: layer.weight.mu lies on its memory\n    type: print(layer.weight.mu.grad)",
        cured="'tensor(' in printed",
    ),
    "a part of a Sequential": Specimen(
        setup="x = torch.ones(1, 3)\nmodel = torch.nn.Sequential(torch.nn.Linear(3, 2))\n"
        "model[0].weight.requires_grad_(False)",
        forward="loss = model(x).sum()",
        subject="model[0].weight",
        codes=("frozen-parameter",),
        names="type: model[0].weight.requires_grad_()\n",
    ),
    "an entry of a list": Specimen(
        setup=X + "tensors = [torch.ones(3), torch.ones(3, requires_grad=True)]",
        forward="loss = (tensors[0] * tensors[1]).sum()",
        subject="tensors[0]",
        codes=("untracked",),
        certainty="one of",
        names="type: tensors[0].requires_grad_()\n",
    ),
    "a frozen parameter that keeps its gradient": Specimen(
        setup=X + "net = torch.nn.Linear(3, 1)\nnet(x).sum().backward()\nnet.requires_grad_(False)",
        forward="loss = net(x).sum()",
        after="",
        subject="net.weight",
        codes=("stale-gradient",),
        cured="net.weight.grad is None",
    ),
}

DERIVATIVES = {
    "the last bias under a gradient penalty": Specimen(
        setup="torch.manual_seed(0)\nnet = torch.nn.Sequential(torch.nn.Linear(3, 4), "
        "torch.nn.Tanh(), torch.nn.Linear(4, 1))\nx = torch.randn(5, 3, requires_grad=True)",
        forward="(g,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)\n"
        "loss = (g.norm(2, 1) - 1).square().mean()",
        subject="net[2].bias",
        codes=("drops-out", "not-in-graph"),
        certainty="one of",
        names="net[2].weight, beside it, is in the graph\n",
        cured="True",
    ),
    "a bias added last, and a second derivative": Specimen(
        setup="torch.manual_seed(0)\nnet = torch.nn.Bilinear(2, 2, 1)\n"
        "x = torch.ones(1, 2, requires_grad=True)",
        forward="y = net(x.sigmoid(), x.sigmoid()).sum()\n"
        "(g,) = torch.autograd.grad(y, x, create_graph=True)\nloss = g.square().sum()",
        subject="net.bias",
        codes=("drops-out", "not-in-graph"),
        certainty="one of",
        cured="True",
    ),
    "a shift beside a scale": Specimen(
        setup="class Affine(torch.nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.scale = torch.nn.Parameter(torch.tensor(2.0))\n"
        "        self.shift = torch.nn.Parameter(torch.tensor(1.0))\n"
        "    def forward(self, t):\n"
        "        return torch.nn.functional.softplus(t) * self.scale + self.shift\n"
        "net = Affine()\nx = torch.tensor(0.3, requires_grad=True)",
        forward="(g,) = torch.autograd.grad(net(x), x, create_graph=True)\nloss = (g - 1) ** 2",
        subject="net.shift",
        codes=("drops-out", "not-in-graph"),
        certainty="one of",
        cured="True",
    ),
    "a slope kept on ctx": Specimen(
        setup="class Square(torch.autograd.Function):\n    @staticmethod\n"
        "    def forward(ctx, z):\n        t = 2 * z\n        ctx.t = t\n        return z * z\n"
        "    @staticmethod\n    def backward(ctx, g):\n        return g * ctx.t\n"
        "x = torch.tensor(3.0, requires_grad=True)",
        forward="y = Square.apply(x).sqrt()\n"
        "(g,) = torch.autograd.grad(y, x, create_graph=True)\nloss = g * 1.0",
        after="loss.backward(retain_graph=True)",
        subject="x",
        codes=("kept-without-history",),
        certainty="cannot be known",
        names="uses what Square kept as ctx.t, which has no history\n",
        cured="printed == 'False\\n'",
    ),
    "a derivative kept on ctx, the graph not run": Specimen(
        setup="class Sine(torch.autograd.Function):\n    @staticmethod\n"
        "    def forward(ctx, z):\n        slope = z.cos()\n        ctx.slope = slope\n"
        "        return z.sin()\n    @staticmethod\n    def backward(ctx, g):\n"
        "        return g * ctx.slope\nx = torch.tensor([0.3, 0.4], requires_grad=True)",
        forward="y = Sine.apply(x).exp().sum()\n"
        "(g,) = torch.autograd.grad(y, x, create_graph=True)\nloss = g.sum()",
        after="loss.backward()",
        subject="x",
        codes=("present",),
        certainty="cannot be known",
        cured="True",
    ),
    "a factor kept on ctx of a Function of two": Specimen(
        setup="class Times(torch.autograd.Function):\n    @staticmethod\n"
        "    def forward(ctx, a, b):\n        ctx.a, ctx.b = a * 1, b * 1\n        return a * b\n"
        "    @staticmethod\n    def backward(ctx, g):\n        return g * ctx.b, g * ctx.a\n"
        "x = torch.tensor([0.3, 0.4], requires_grad=True)",
        forward="y = Times.apply(x, x).tanh().sum()\n"
        "(g,) = torch.autograd.grad(y, x, create_graph=True)\nloss = g.sum()",
        after="loss.backward(retain_graph=True)",
        subject="x",
        codes=("kept-without-history",),
        certainty="cannot be known",
        cured="True",
    ),
}

CAST_BACK = "torch.manual_seed(0)\nnet = torch.nn.Linear(4, 1)\nx = torch.ones(2, 4)\n"

QUIET = {
    "sum of a layer norm": Specimen(
        setup="torch.manual_seed(0)\nw = torch.randn(3, 8, requires_grad=True)",
        forward="loss = torch.nn.LayerNorm(8)(w).sum()",
        after=RETAIN,
        codes=("rounding-noise",),
        names="left rounding errors only: it gets the same gradient at all entries",
        cured="'d loss / d w' in printed",
    ),
    "sum of a batch norm": Specimen(
        setup="torch.manual_seed(0)\nw = torch.randn(7, 5, requires_grad=True)",
        forward="loss = torch.nn.BatchNorm1d(5)(w).sum()",
        after=RETAIN,
        codes=("rounding-noise",),
        cured="'d loss / d w' in printed",
    ),
    "sum of an instance norm": Specimen(
        setup="torch.manual_seed(1)\nw = torch.randn(2, 3, 7, requires_grad=True)",
        forward="loss = torch.nn.InstanceNorm1d(3)(w).sum()",
        after=RETAIN,
        codes=("rounding-noise",),
        cured="'d loss / d w' in printed",
    ),
    "two ways that cancel": Specimen(
        setup="torch.manual_seed(0)\nmean = torch.tensor(0.3, requires_grad=True)\n"
        "std = torch.tensor(1.2, requires_grad=True)",
        forward="d = torch.distributions.Normal(mean, std)\nloss = -d.log_prob(d.rsample())",
        after=RETAIN,
        subject="mean",
        codes=("zero-flow",),
        names="the gradients that meet at mean add up to zero: the ways cancel\n",
        cured="'2 paths' in printed",
    ),
    "sum of a group norm": Specimen(
        setup="torch.manual_seed(0)\nw = torch.randn(2, 4, 3, requires_grad=True)",
        forward="loss = torch.nn.GroupNorm(2, 4)(w).sum()",
        after=RETAIN,
        codes=("rounding-noise",),
        cured="'d loss / d w' in printed",
    ),
    "a cast that autocast keeps": Specimen(
        setup=CAST_BACK + "opt = torch.optim.SGD(net.parameters(), 1.0)\n"
        "once = torch.autocast('cpu', dtype=torch.bfloat16)\nonce.__enter__()\n"
        "net(x).sum().backward()\nopt.step()\nopt.zero_grad()",
        forward="loss = net(x).float().square().sum()",
        after=RETAIN + "\nonce.__exit__(None, None, None)",
        subject="net.weight",
        codes=("stale-cast",),
        certainty="cannot be known",
        names="is older than this forward pass",
        cured="True",
    ),
    "a cast of other numbers than the weight has": Specimen(
        setup=CAST_BACK + "x.requires_grad_()\nlow = net.weight.bfloat16()",
        forward="loss = (x.bfloat16() @ low.t()).float().sum()",
        after=RETAIN + "\nwith torch.no_grad():\n    net.weight += 1.0",
        subject="net.weight",
        codes=("stale-cast",),
        names="gave other numbers than the same cast gives now\n",
        cured="True",
    ),
    "weights in half precision, changed since": Specimen(
        setup=W,
        forward="h = w.half()\nloss = (h * h).float().sum()",
        after=RETAIN + "\nwith torch.no_grad():\n    w.mul_(2.0)",
        codes=("stale-cast",),
        cured="True",
    ),
    "present, and the graph freed": Specimen(
        setup=W,
        codes=("present",),
        certainty="cannot be known",
        names="seen: not verified, because the graph is freed\n",
        cured="True",
    ),
}

MODES = {
    "enable_grad inside inference_mode": Specimen(
        setup="torch.manual_seed(0)\nnet = torch.nn.Linear(3, 3)\nx = torch.ones(2, 3)\n"
        "with torch.inference_mode():\n    feats = net(x)",
        forward="with torch.inference_mode(), torch.enable_grad():\n    loss = net(feats).sum()",
        after="",
        subject="feats",
        codes=("inference-tensor",),
        names="loss is an inference tensor too: nothing of it was recorded\n",
        again="loss = net(feats).sum()",
    ),
    "a loss under inference_mode": Specimen(
        setup=W,
        forward="with torch.inference_mode():\n    loss = (w * x).sum()",
        after="",
        codes=("loss-inference",),
        again="loss = (w * x).sum()",
    ),
    "a result of no derivative": Specimen(
        setup=W,
        forward="loss = torch.heaviside(w, x).sum()",
        after="",
        codes=("no-derivative",),
        names="is not implemented",
        cured="True",
    ),
    "numbers whose unique ones are counted": Specimen(
        setup=W,
        forward="loss = torch.unique(w).sum()",
        after="",
        codes=("no-derivative",),
        cured="True",
    ),
    "labels": Specimen(
        setup="w = torch.tensor([[0.1, 0.2]], requires_grad=True)\ntarget = torch.tensor([1])",
        forward="loss = torch.nn.functional.cross_entropy(w, target)",
        after="",
        subject="target",
        codes=("integer-dtype",),
        names="the NllLoss that made loss takes it as its labels: that is as it should be",
        cured="True",
    ),
    "a mask": Specimen(
        setup=W + "mask = torch.tensor([True, False, False])",
        forward="loss = w.masked_fill(mask, 0.0).sum()",
        after="",
        subject="mask",
        codes=("integer-dtype",),
        names="mask holds truth values, and slopes exist between real numbers only.",
        cured="True",
    ),
}

SPECIMENS = {
    f"{group}: {name}": specimen
    for group, specimens in (
        ("tensor", TENSOR),
        ("loss", LOSS),
        ("path", PATH),
        ("engine", ENGINE),
        ("value", VALUE),
        ("in place", IN_PLACE),
        ("hidden", HIDDEN),
        ("freed", PARTLY_FREED),
        ("names", NAMES),
        ("derivatives", DERIVATIVES),
        ("quiet", QUIET),
        ("modes", MODES),
    )
    for name, specimen in specimens.items()
}
