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


X = "x = torch.tensor([2.0, -1.0, 0.5])\n"
W = X + "w = torch.tensor([1.0, 2.0, -3.0], requires_grad=True)\n"
GROUP = ("not-called", "cleared", "left-out", "returned")

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
        names="seen: loss and the loss are one tensor\n",
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
        names="a leaf (node 2 of trace, shape (3,)) lies on its memory",
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
    ),
    "Function returned None, the graph freed": Specimen(
        setup=W + IDENTITY,
        forward="loss = (Identity.apply(w) * x).sum()",
        codes=(*GROUP[1:], "function-returned-none"),
        certainty="one of",
        at=3,
    ),
    "Function on one way of two": Specimen(
        setup=W + IDENTITY,
        forward="loss = (Identity.apply(w) * x + w * x).sum()",
        after="loss.backward(inputs=[w])\nw.grad = None",
        codes=GROUP[1:],
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
        codes=GROUP[1:],
        certainty="one of",
    ),
    "cleared by a hook": Specimen(
        setup=W
        + "def forget(p):\n    p.grad = None\nh = w.register_post_accumulate_grad_hook(forget)",
        codes=GROUP[1:],
        certainty="one of",
        names="a hook that may clear it: forget",
        cured="w.grad is None",
    ),
    "left out of inputs": Specimen(
        setup=W + "u, v = (torch.ones(3, requires_grad=True) for _ in range(2))",
        forward="loss = (w * u * v).sum()",
        after="loss.backward(inputs=[u, v])",
        codes=GROUP[1:],
        certainty="one of",
        names="of the 2 other leaves of the graph, 2 have a .grad",
        at=1,
    ),
    "another loss has freed what they share": Specimen(
        setup=W + "u = torch.ones(3, requires_grad=True)",
        forward="h = (u * x).exp()\nfirst, loss = h.sum(), (w * h).sum() * 2",
        after="first.backward()",
        codes=GROUP,
        certainty="one of",
        names="seen: a pass has freed a part of the graph, but nothing between it and w\n",
    ),
    "returned by autograd.grad": Specimen(
        setup=W,
        after="g = torch.autograd.grad(loss, w)",
        codes=GROUP[1:],
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
        names="seen: Round (node 0 of trace, RoundBackward0, output ()) turned it into zeros: ",
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
        setup=W + "low, high = 10.0, 20.0",
        forward="z = w * x\nloss = torch.clamp(z, low, high).sum()",
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
        names="the gradients that meet at a leaf",
        cured="'zero-flow' in printed",
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
        codes=("accumulated", "hook", "differs"),
        certainty="one of",
        at=1,
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

SPECIMENS = {
    f"{group}: {name}": specimen
    for group, specimens in (
        ("tensor", TENSOR),
        ("loss", LOSS),
        ("path", PATH),
        ("engine", ENGINE),
        ("value", VALUE),
    )
    for name, specimen in specimens.items()
}
