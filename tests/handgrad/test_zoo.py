"""Flow is ``.grad`` to the last bit, and every Jacobian has a second source."""

import copy
import warnings
from itertools import groupby

import pytest
import torch
from zoo import PROGRAMS, Program, models

from handgrad import peel, trace
from handgrad.graph.records import Array
from handgrad.numbers.floats import FORMATS, steps_between
from handgrad.tracing.structure import walk

each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
MODELS = [model.name for model in models()]
INTEGERS = {torch.float32: torch.int32, torch.float64: torch.int64}


def bits(numbers: torch.Tensor) -> list[int]:
    return numbers.detach().contiguous().view(INTEGERS[numbers.dtype]).flatten().tolist()


def tensor(array: Array) -> torch.Tensor:
    return torch.tensor(array.data, dtype=getattr(torch, array.dtype)).reshape(array.shape)


def loss_of(program: Program, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Weigh the outputs unevenly, so that no gradient is one by chance."""
    output = program.f(*inputs.values())
    weights = torch.linspace(0.3, 1.7, output.numel(), dtype=output.dtype)
    return (output.flatten() * weights).sum()


class Watched:
    """Everything about tensors that a reader must leave as it was."""

    def __init__(self, tensors: dict[str, torch.Tensor], loss: torch.Tensor) -> None:
        self.tensors, self.loss, self.fired = tensors, loss, 0
        for one in tensors.values():
            one.register_hook(self.hook)
            one.register_post_accumulate_grad_hook(self.hook)
        loss.register_hook(self.hook)
        self.before = self.state()

    def hook(self, _: torch.Tensor) -> None:
        self.fired += 1

    def state(self):
        return (
            self.fired,
            torch.is_grad_enabled(),
            [(t._version, t.grad, t.requires_grad, bits(t)) for t in self.tensors.values()],
            self.loss._version,
        )


def test_the_zoo_is_large_and_broad():
    """At least 120 programs, and the operation families that people use."""
    kinds = set[str]()
    for program in PROGRAMS:
        graph = trace(loss_of(program, program.inputs()), values=False)
        kinds.update(node.op for node in graph.nodes)

    assert len(PROGRAMS) >= 120
    assert len({program.name for program in PROGRAMS}) == len(PROGRAMS)
    assert len(kinds) >= 150
    assert kinds >= {"Convolution", "CopySlices", "Embedding", "Both", "LinalgSolveEx", "FftR2C"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@each_program
def test_flow_is_grad_to_the_last_bit(program, dtype):
    """Reading changes nothing, and what was read is what backward() then writes."""
    inputs = program.inputs(dtype)
    loss = loss_of(program, inputs)
    watched = Watched(inputs, loss)

    graph = trace(loss, names=inputs)

    assert graph.detail == "values"
    assert watched.state() == watched.before
    loss.backward()
    assert watched.fired == 2 * len(inputs) + 1  # the hooks were alive
    for name, leaf in inputs.items():
        assert bits(tensor(graph.node(name).gradients[0])) == bits(leaf.grad)


@each_program
def test_the_edges_are_the_same_with_and_without_numbers(program):
    """Each slot keeps its edge, where one tensor is used twice too."""
    loss = loss_of(program, program.inputs())

    def edges(values):
        graph = trace(loss, values=values)
        return [(node.key, edge.slot, edge.source, edge.output) for node, edge in graph.edges]

    assert edges(False) == edges(True)


@each_program
def test_backward_after_a_trace_gives_the_same_bits(program):
    """A traced and an untouched twin get the same gradients, twice over."""
    first, second = program.inputs(), program.inputs()
    traced, untouched = loss_of(program, first), loss_of(program, second)

    trace(traced, values=True)
    for _ in range(2):
        traced.backward(retain_graph=True)
        untouched.backward(retain_graph=True)

    for one, other in zip(first.values(), second.values(), strict=True):
        assert bits(one.grad) == bits(other.grad)


@each_program
def test_jacobians_have_a_second_source(program):
    """The product of recorded local derivatives is what torch.func says of the function.

    Forward mode shares no formula with the recorded backward rules. Distances
    are at most 4 ulp per operation, of each entry, or of the largest where a
    program is declared to cancel.
    """
    if program.complex:
        pytest.skip("complex in the middle: there is no product of real derivatives")
    inputs = program.inputs(torch.float64)
    graph = trace(program.f(*inputs.values()), names=inputs, values=True)
    plain = tuple(leaf.detach() for leaf in inputs.values())
    witness = torch.func.jacfwd if program.forward else torch.func.jacrev

    for position, name in enumerate(inputs):
        found = tensor(peel(graph, name).product)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # slow batching rules, torch.jit's deprecation
            expected = witness(program.same or program.f, argnums=position)(*plain)
        operations = sum(node.kind == "operation" for node in graph.nodes)

        assert found.shape == expected.shape
        assert apart(found, expected, program.cancels) <= 4 * operations


def apart(found: torch.Tensor, expected: torch.Tensor, cancels: bool) -> float:
    """Return the largest distance in ulps, of the entry or of the largest entry."""
    if cancels:
        return float((found - expected).abs().max() / expected.abs().max() / 2**-52)
    pairs = zip(found.flatten().tolist(), expected.flatten().tolist(), strict=True)
    return max((steps_between(a, b, FORMATS["float64"]) for a, b in pairs), default=0)


def test_a_wrong_jacobian_would_be_seen():
    """Five ulps, a lost sign and a swapped entry are each more than is allowed."""
    right = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)

    assert apart(right + torch.tensor([5 * 2**-52, 0, 0]), right, False) == 5
    for wrong in (right.abs(), right.flip(0), right * 2, right.roll(1)):
        assert apart(wrong, right, True) > 1e15
        assert apart(wrong, right, False) > 1e15


@each_program
def test_keys_follow_the_engine(program):
    """Nodes run in the order of their keys, as hooks on a twin see it."""
    loss = loss_of(program, program.inputs())

    assert_engine_order(loss)


def assert_engine_order(loss: torch.Tensor) -> None:
    """Compare with hooks; leaves that are ready together may run in any order."""
    live = walk(loss.grad_fn).live
    ran: list[int] = []
    for key, node in enumerate(live):
        node.register_hook(lambda *_, key=key: ran.append(key))
    loss.backward()

    def in_order(keys):
        runs = groupby(keys, key=lambda key: not live[key].next_functions)
        return [key for leaves, run in runs for key in (sorted(run) if leaves else run)]

    assert in_order(ran) == list(range(len(live)))


@pytest.mark.parametrize("name", MODELS)
def test_whole_models(name):
    """Every parameter's flow is its gradient, in its own place and under its own name."""
    model = next(model for model in models() if model.name == name)
    twin = copy.deepcopy(model.module)
    buffers = {key: value.clone() for key, value in model.module.named_buffers()}
    loss = model.loss(model.module)
    after = {key: value.clone() for key, value in model.module.named_buffers()}

    graph = trace(loss, names=model.module, values=True)

    assert all(torch.equal(after[key], value) for key, value in model.module.named_buffers())
    assert buffers.keys() == after.keys()
    loss.backward()
    model.loss(twin).backward()
    for key, parameter in model.module.named_parameters():
        node = graph.node(key)
        assert bits(tensor(node.gradients[0])) == bits(parameter.grad)
        assert bits(parameter.grad) == bits(twin.get_parameter(key).grad)
        assert node.module == key.rpartition(".")[0] or None


@pytest.mark.parametrize("name", MODELS)
def test_models_run_in_the_order_of_keys(name):
    """The engine's order holds for whole models too."""
    model = next(model for model in models() if model.name == name)

    assert_engine_order(model.loss(model.module))
