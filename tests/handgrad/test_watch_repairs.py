"""Programs whose gradient is lost: watch() names the place, and what it says to type works."""

import contextlib
import io
import linecache
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from repairs import PAIR, arrived, quiet

from handgrad import watch
from handgrad.diagnosing.watching.mode import Recorder

BEFORE = "# before this line:\n"


@dataclass(frozen=True)
class Lost:
    """A program that loses the gradient of ``subject`` on its way to ``loss``.

    ``setup`` runs before the recording, ``forward`` in it. The event that is asked
    for has the operation and the wall; its repair is typed, and then backward()
    reaches the subject.
    """

    forward: str
    operation: str
    wall: str
    subject: str = "x"
    setup: str = "x = torch.tensor([0.3, -1.2, 2.0], requires_grad=True)"
    since: str = ""
    says: tuple[str, ...] = field(default=())


NET = """
net = torch.nn.Linear(3, 2)
flat = torch.linspace(-1, 1, 8).requires_grad_()
data = torch.ones(4, 3)
"""
TABLE = """
emb = torch.nn.Embedding(5, 4)
table = torch.arange(20.0).reshape(5, 4)
logits = torch.linspace(-1, 1, 15).reshape(3, 5).requires_grad_()
labels = torch.tensor([1, 0, 4])
position = torch.tensor([0.4, 2.6], requires_grad=True)
"""
POINTS = """
X = torch.linspace(-2, 2, 12).reshape(4, 3).requires_grad_()
thr = torch.tensor(1.5, requires_grad=True)
v = torch.tensor([0.5, 1.0, 3.0, 4.0], requires_grad=True)
"""
CRITIC = """
D = torch.nn.Linear(3, 1)
x = torch.linspace(-1, 1, 6).reshape(2, 3).requires_grad_()
"""

COPIED = {
    "load_state_dict": Lost(
        'net.load_state_dict({"weight": flat[:6].view(2, 3), "bias": flat[6:]})\n'
        "loss = net(data).square().sum()",
        "load_state_dict",
        "into",
        "flat",
        NET,
        says=("copies its numbers into net",),
    ),
    "load_state_dict by assigning": Lost(
        'net.load_state_dict({"weight": flat[:6].view(2, 3), "bias": flat[6:]}, assign=True)\n'
        "loss = net(data).square().sum()",
        "load_state_dict",
        "into",
        "flat",
        NET,
    ),
    "load_state_dict of a dict with a name": Lost(
        'new = {"weight": flat[:6].view(2, 3)}\n'
        "net.load_state_dict(new, strict=False)\nloss = net(data).square().sum()",
        "load_state_dict",
        "into",
        "flat",
        NET,
    ),
    ".data =": Lost(
        "net.weight.data = flat[:6].view(2, 3)\nloss = net(data).square().sum()",
        "data",
        "into",
        "flat",
        NET,
        says=("copies its numbers into net.weight",),
    ),
    ".data = of two": Lost(
        "net.weight.data = flat[:6].view(2, 3)\nnet.bias.data = flat[6:]\n"
        "loss = net(data).square().sum()",
        "data",
        "into",
        "flat",
        NET,
    ),
    ".data.copy_": Lost(
        "net.weight.data.copy_(flat[:6].view(2, 3))\nloss = net(data).square().sum()",
        "copy_",
        "into",
        "flat",
        NET,
    ),
    "copy_ under no_grad": Lost(
        "new = flat[:6].view(2, 3) * 2\nwith torch.no_grad():\n    net.weight.copy_(new)\n"
        "loss = net(data).square().sum()",
        "copy_",
        "into",
        "flat",
        NET,
    ),
    "copy_ of what is computed under no_grad": Lost(
        "with torch.no_grad():\n    net.weight.copy_(flat[:6].view(2, 3))\n"
        "loss = net(data).square().sum()",
        "copy_",
        "into",
        "flat",
        NET,
    ),
    "add_ under no_grad": Lost(
        "step = flat[:6].view(2, 3) * 2\nwith torch.no_grad():\n    net.weight.add_(step)\n"
        "loss = net(data).square().sum()",
        "add_",
        "into",
        "flat",
        NET,
    ),
    "+= under no_grad": Lost(
        "step = flat[:6].view(2, 3) * 2\nwith torch.no_grad():\n    net.weight += step\n"
        "loss = net(data).square().sum()",
        "add_",
        "into",
        "flat",
        NET,
    ),
    "vector_to_parameters": Lost(
        "torch.nn.utils.vector_to_parameters(flat, net.parameters())\n"
        "loss = net(data).square().sum()",
        "vector_to_parameters",
        "into",
        "flat",
        NET,
    ),
    "a part of a larger model": Lost(
        "model[0].weight.data = flat[:6].view(2, 3)\nloss = model(data).square().sum()",
        "data",
        "into",
        "flat",
        NET + "model = torch.nn.Sequential(net, torch.nn.Tanh())",
    ),
    "with a keyword": Lost(
        "net.weight.data = flat[:6].view(2, 3)\nloss = net(input=data).square().sum()",
        "data",
        "into",
        "flat",
        NET,
    ),
    "a leaf of no module": Lost(
        "w.data = x * 2\nloss = (w * w).sum()",
        "data",
        "into",
        setup="x, w = (torch.ones(3, requires_grad=True) for _ in range(2))",
    ),
}

STEPPED = {
    "autograd.grad": Lost(
        "(g,) = torch.autograd.grad(D(x).tanh().sum(), x)\n"
        "loss = (g.norm(2, 1) - 1).square().mean()",
        "grad",
        "gradient",
        "D.weight",
        CRITIC,
    ),
    "autograd.grad in a loss": Lost(
        "loss = D(x).mean() * 0\n"
        "g = torch.autograd.grad(D(x).tanh().sum(), x, create_graph=False)[0]\n"
        "penalty = (g.norm(2, 1) - 1).square().mean()\n"
        "loss = loss + penalty",
        "grad",
        "gradient",
        "D.weight",
        CRITIC,
    ),
    "autograd.grad with retain_graph": Lost(
        "out = D(x).tanh()\n"
        "g, = torch.autograd.grad(out, x, torch.ones_like(out), retain_graph=True)\n"
        "loss = g.square().sum() + out.detach().sum()",
        "grad",
        "gradient",
        "D.weight",
        CRITIC,
    ),
    ".grad": Lost(
        "D(x).tanh().sum().backward()\ngp = x.grad.norm()\nloss = gp.square()",
        "grad",
        "gradient",
        "D.weight",
        CRITIC,
    ),
    ".grad of several": Lost(
        "D(x).tanh().sum().backward()\nloss = sum(p.grad.square().sum() for p in [x])",
        "grad",
        "gradient",
        "D.weight",
        CRITIC,
    ),
    "jacobian": Lost(
        "j = torch.autograd.functional.jacobian(lambda t: D(t).tanh(), x)\nloss = j.square().sum()",
        "jacobian",
        "gradient",
        "D.weight",
        CRITIC,
    ),
    "hessian": Lost(
        "h = torch.autograd.functional.hessian(lambda t: D(t).tanh().sum(), x)\n"
        "loss = h.square().sum()",
        "hessian",
        "gradient",
        "D.weight",
        CRITIC,
    ),
}

OFF = {
    "a block around": Lost(
        "with torch.no_grad():\n    h = x * 2\nloss = (h * x.detach()).sum()",
        "mul",
        "switched off",
        since="cell, line 1",
    ),
    "switched off since a line before": Lost(
        "torch.set_grad_enabled(False)\nwith torch.no_grad():\n    n = 3\nh = x * 2\n"
        "torch.set_grad_enabled(True)\nloss = h.sum()",
        "mul",
        "switched off",
        since="cell, line 1",
    ),
    "a block that is closed is not blamed": Lost(
        "with torch.no_grad():\n    scale = 2.0\nh = x * scale\nloss = h.sum()",
        "mul",
        "switched off",
        since="before this recording began",
        setup="x = torch.ones(3, requires_grad=True)\ntorch.set_grad_enabled(False)",
    ),
    "a decorator": Lost(
        "@torch.no_grad()\ndef f(t):\n    return t * 2\nloss = f(x).sum()",
        "mul",
        "switched off",
        since="cell, line 1",
    ),
    "a decorator without parentheses": Lost(
        "@torch.no_grad\ndef f(t):\n    return t * 2\nloss = f(x).sum()",
        "mul",
        "switched off",
        since="cell, line 1",
    ),
    "a decorated function made before": Lost(
        "loss = f(x).sum()",
        "mul",
        "switched off",
        setup="x = torch.ones(3, requires_grad=True)\n"
        "@torch.no_grad()\ndef f(t):\n    return t * 2\n",
        since="cell, line 2",
    ),
    "set_grad_enabled as a block": Lost(
        "training = False\nwith torch.set_grad_enabled(training):\n    loss = (x * 2).sum()",
        "mul",
        "switched off",
        since="cell, line 2",
    ),
    "an inner block that is left": Lost(
        "with torch.no_grad():\n    with torch.no_grad():\n        n = 3\n    h = x * 2\n"
        "loss = h.sum()",
        "mul",
        "switched off",
        since="cell, line 1",
    ),
    "inference_mode": Lost(
        "with torch.inference_mode():\n    h = x * 2\nloss = h.clone().sum()",
        "mul",
        "inference",
        since="cell, line 1",
    ),
    "enable_grad in inference_mode": Lost(
        "with torch.inference_mode():\n    with torch.enable_grad():\n        h = x * 2\n"
        "        loss = h.sum()",
        "mul",
        "inference",
        since="cell, line 1",
        says=("under enable_grad() neither",),
    ),
    "an inference tensor": Lost(
        "loss = net(feats).sum()",
        "linear",
        "inference tensor",
        "net.weight",
        "net = torch.nn.Linear(3, 2)\nwith torch.inference_mode():\n    feats = torch.ones(4, 3)",
    ),
}

CHECKPOINT = """
from torch.utils.checkpoint import checkpoint
block = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())
head, data = torch.nn.Linear(3, 1), torch.ones(4, 3)
"""

HIDDEN = {
    "a checkpoint that nothing tracked enters": Lost(
        "loss = head(checkpoint(block, data, use_reentrant=True)).mean()",
        "checkpoint",
        "function",
        "block[0].weight",
        CHECKPOINT,
        says=("given no tensor that asks for a gradient",),
    ),
}

SELECTED = {
    "mean of what a comparison selects": Lost(
        "loss = X[v < thr].mean()", "lt", "no slope", "thr", POINTS
    ),
    "a mask with a name": Lost(
        "near = v < thr\nloss = v[near].mean()", "lt", "no slope", "thr", POINTS
    ),
    "sum": Lost("loss = v[v < thr].sum()", "lt", "no slope", "thr", POINTS),
    "torch.mean": Lost("loss = torch.mean(v[v < thr])", "lt", "no slope", "thr", POINTS),
    "sum over rows": Lost(
        "loss = X[v > thr].sum(0).square().sum()", "gt", "no slope", "thr", POINTS
    ),
    "two masks": Lost(
        "near = v < thr\nfar = v > thr - 2\nloss = v[near & far].sum()",
        "lt",
        "no slope",
        "thr",
        POINTS,
    ),
    "the opposite": Lost("loss = v[~(v < thr)].sum()", "lt", "no slope", "thr", POINTS),
    "where": Lost("loss = torch.where(v < thr, v, 0.0).sum()", "lt", "no slope", "thr", POINTS),
    "masked_fill": Lost(
        "loss = v.masked_fill(v < thr, 0.0).sum()", "lt", "no slope", "thr", POINTS
    ),
    "masked_select": Lost("loss = v.masked_select(v < thr).sum()", "lt", "no slope", "thr", POINTS),
    "written where a mask says": Lost(
        "y = v * 1\nmask = v < thr\ny[mask] = 0.0\nloss = y.sum()", "lt", "no slope", "thr", POINTS
    ),
    "counted": Lost("loss = (v < thr).float().mean()", "lt", "no slope", "thr", POINTS),
    "a method": Lost("loss = v[v.lt(thr)].sum()", "lt", "no slope", "thr", POINTS),
    "a function": Lost("loss = v[torch.lt(v, thr)].sum()", "lt", "no slope", "thr", POINTS),
}

LOOKED_UP = {
    "a table by a rounded position": Lost(
        "loss = table[position.long()].sum()", "long", "no slope", "position", TABLE
    ),
    "a table by a position with a name": Lost(
        "i = position.round().long()\nloss = table[i].square().sum()",
        "long",
        "no slope",
        "position",
        TABLE,
    ),
    "a table in double precision": Lost(
        "i = position.to(torch.int64)\nloss = table.double()[i].square().sum()",
        "to",
        "no slope",
        "position",
        TABLE,
    ),
    "argmax into an embedding": Lost(
        "loss = emb(logits.argmax(-1)).square().sum()", "argmax", "no slope", "logits", TABLE
    ),
    "argmax with a name into an embedding": Lost(
        "token = logits.argmax(dim=1)\nloss = emb(token).square().sum()",
        "argmax",
        "no slope",
        "logits",
        TABLE,
    ),
    "argmax into F.embedding": Lost(
        "import torch.nn.functional as F\nloss = F.embedding(logits.argmax(-1), table).sum()",
        "argmax",
        "no slope",
        "logits",
        TABLE,
    ),
    "argmax into a table": Lost(
        "loss = table[logits.argmax(-1)].square().sum()", "argmax", "no slope", "logits", TABLE
    ),
    "argmax into one_hot": Lost(
        "import torch.nn.functional as F\n"
        "loss = (F.one_hot(logits.argmax(-1), 5).float() @ table).square().sum()",
        "argmax",
        "no slope",
        "logits",
        TABLE,
    ),
    "argmax of all": Lost(
        "loss = table[logits[0].argmax()].square().sum()", "argmax", "no slope", "logits", TABLE
    ),
    "positions of max into an embedding": Lost(
        "_, token = logits.max(1)\nloss = emb(token).square().sum()",
        "max",
        "positions",
        "logits",
        TABLE,
    ),
    "indices of max into an embedding": Lost(
        "loss = emb(logits.max(1).indices).square().sum()", "max", "positions", "logits", TABLE
    ),
    "index_select": Lost(
        "loss = table.index_select(0, logits.argmax(-1)).square().sum()",
        "argmax",
        "no slope",
        "logits",
        TABLE,
    ),
    "gather": Lost(
        "picked = labels.float().repeat(3, 2)[:, :5].gather(1, logits.argmax(1, keepdim=True))\n"
        "loss = picked.square().sum()",
        "argmax",
        "no slope",
        "logits",
        TABLE,
    ),
    "the expected position": Lost(
        "loss = (logits.argmax(-1) * 2.0).sum()", "argmax", "no slope", "logits", TABLE
    ),
    "accuracy": Lost(
        "loss = (logits.argmax(1) == labels).float().mean()", "argmax", "no slope", "logits", TABLE
    ),
    "accuracy in two lines": Lost(
        "guess = logits.argmax(1)\nloss = (guess == labels).float().mean()",
        "argmax",
        "no slope",
        "logits",
        TABLE,
    ),
}

MADE_AGAIN = {
    "sorted": Lost("loss = torch.tensor(sorted(x.tolist()))[0]", "tolist", "number"),
    "sorted downwards": Lost(
        "loss = torch.tensor(sorted(x.tolist(), reverse=True))[0]", "tolist", "number"
    ),
    "a number": Lost("loss = torch.tensor((x * 3).sum().item())", "item", "number"),
    "a number computed with": Lost(
        "loss = torch.tensor(2 * x.sum().item() + 1.0)", "item", "number"
    ),
    "a function of a number": Lost(
        "import math\nloss = torch.tensor(math.exp(x[0].item()))", "item", "number"
    ),
    "a function of a tensor": Lost(
        "import math\nloss = torch.tensor(math.exp(x[0]))", "float", "number"
    ),
    "a list of numbers": Lost(
        "loss = torch.tensor([x[0].item(), 1.0, x[1].item()]).sum()", "item", "number"
    ),
    "a list of lists": Lost(
        "loss = torch.tensor([[x[0].item()], [x[1].item()]]).sum()", "item", "number"
    ),
    "a comprehension": Lost(
        "loss = torch.tensor([2 * value for value in x.tolist()]).sum()", "tolist", "number"
    ),
    "the sum of a list": Lost("loss = torch.tensor(sum(x.tolist()))", "tolist", "number"),
    "a number with a name": Lost(
        "value = x.sum().item()\nloss = torch.tensor(value) * 2", "item", "number"
    ),
    "a list with a name": Lost(
        "values = x.tolist()\nloss = torch.tensor(values).sum()", "tolist", "number"
    ),
    "with a dtype": Lost(
        "loss = torch.tensor(x.sum().item(), dtype=torch.float64)", "item", "number"
    ),
    "NumPy": Lost(
        "import numpy as np\nloss = torch.tensor(np.array(x.tolist())).sum()", "tolist", "number"
    ),
}

PROGRAMS = {**COPIED, **STEPPED, **OFF, **HIDDEN, **SELECTED, **LOOKED_UP, **MADE_AGAIN}


def run(parts: dict[str, str]) -> tuple[dict[str, Any], Any]:
    """Run setup and forward, and then backward, with the forward part watched."""
    names: dict[str, Any] = {"torch": torch}
    seen = watch()
    torch.manual_seed(3)
    for part, text in parts.items():
        file = f"<{part} {abs(hash(text))}>"
        linecache.cache[file] = (len(text), None, (text + "\n").splitlines(True), file)
        watching = seen if part == "forward" else contextlib.nullcontext()
        with quiet(), contextlib.redirect_stdout(io.StringIO()), watching:
            exec(compile(text, file, "exec"), names)
    return names, seen


def typed(parts: dict[str, str], repair: str, line: str) -> dict[str, str]:
    """Replace what a repair says to replace, or put a line before another."""
    if repair.startswith(BEFORE):
        new = f"{repair.removeprefix(BEFORE)}\n{line}"
        return {part: text.replace(line, new) for part, text in parts.items()}
    pairs = PAIR.findall(repair)
    assert pairs, repair
    for old, new in pairs:
        assert any(old in text for text in parts.values()), f"{old} is not in the program"
        parts = {part: text.replace(old, new) for part, text in parts.items()}
    return parts


@pytest.fixture(autouse=True)
def recording_is_on():
    yield
    torch.set_grad_enabled(True)


@pytest.mark.parametrize("lost", PROGRAMS.values(), ids=PROGRAMS)
def test_what_is_said_to_be_typed_brings_the_gradient_back(lost: Lost):
    parts = {"setup": lost.setup, "forward": lost.forward}
    try:
        names, seen = run(parts)
    except RuntimeError as error:
        seen = recording_of(error, parts)
    else:
        assert not reaches(names, lost.subject)
    torch.set_grad_enabled(True)

    found = [
        event for event in seen if (event.operation, event.wall) == (lost.operation, lost.wall)
    ]
    assert found, str(seen)
    for word in lost.says:
        assert word in found[0].says
    assert lost.since in found[0].since
    assert bool(found[0].since) == bool(lost.since)
    cured = parts
    for event in {event.repair: event for event in found}.values():
        cured = typed_once(cured, event.repair, event.source)
    names, _ = run(cured)
    assert reaches(names, lost.subject), cured


def typed_once(parts: dict[str, str], repair: str, line: str) -> dict[str, str]:
    """Type the pairs of a repair that others have not typed before."""
    if not repair.startswith(BEFORE):
        text = "\n".join(parts.values())
        kept = [f"# instead of {old}:\n{new}" for old, new in PAIR.findall(repair) if old in text]
        assert kept or PAIR.findall(repair), repair
        return typed(parts, "\n".join(kept), line) if kept else parts
    return typed(parts, repair, line)


def recording_of(error: RuntimeError, parts: dict[str, str]) -> Any:
    """Run a program that raises again, and return what was seen until then."""
    names: dict[str, Any] = {"torch": torch}
    seen = watch()
    for part, text in parts.items():
        file = f"<{part} {abs(hash(text))}>"
        watching = seen if part == "forward" else contextlib.nullcontext()
        with quiet(), contextlib.suppress(type(error)), watching:
            exec(compile(text, file, "exec"), names)
    return seen


def reaches(names: dict[str, Any], subject: str) -> bool:
    """Run backward() from the loss, if it has a graph, and look at the subject."""
    loss, tensor = names["loss"], eval(subject, names)
    tensor.grad = None
    with quiet():
        if loss.requires_grad:
            (loss if loss.dim() == 0 else loss.sum()).backward()
    return arrived(tensor)


def test_the_test_can_fail(monkeypatch: pytest.MonkeyPatch):
    """A repair that does not run is noticed."""
    monkeypatch.setattr(Recorder, "_repair", lambda self, place, repair: None, raising=True)
    with pytest.raises((AssertionError, IndexError, TypeError)):
        test_what_is_said_to_be_typed_brings_the_gradient_back(SELECTED["a mask with a name"])
