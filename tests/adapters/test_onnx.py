"""An ONNX file as a black box: what it computes is known by hand, and what it declares is not believed."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from probe import Classification, MultiLabel, Regression, Space, from_onnx
from probe.adapters import written
from probe.adapters.onnx_file import files
from probe.audit import plan_from, run
from probe.cli.sources import open_both
from probe.dataset import Dataset
from probe.errors import DataError, ForwardError, ProbeError, ShapeError, UnsafeError, Unsupported
from probe.explainers import IntegratedGradients, KernelShap

WEIGHT = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32) * 3
X = torch.rand(7, 3, generator=torch.Generator().manual_seed(0))
SPACE = Space(reference=torch.zeros(1, 3))
Z = X @ torch.from_numpy(WEIGHT)


def graph(*, last="", rows="n", columns=3, weight=WEIGHT, kind=TensorProto.FLOAT, domain=""):
    """x @ weight, then perhaps one more operator."""
    nodes = [helper.make_node("MatMul", ["x", "W"], ["z"])]
    if last:
        axis = {"axis": 1} if last.endswith("oftmax") else {}
        nodes.append(helper.make_node(last, ["z"], ["y"], domain=domain, **axis))
    inputs = [helper.make_tensor_value_info("x", kind, [rows, columns])]
    outputs = [helper.make_tensor_value_info("y" if last else "z", kind, [rows, 2])]
    body = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(weight, "W")])
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(body, opset_imports=opsets, ir_version=8)


@pytest.fixture
def write(tmp_path):
    def save(model, name="m.onnx", **options):
        onnx.save(model, tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.mark.parametrize("rows", ["n", 1, 4])
@pytest.mark.parametrize("last", ["", "Softmax", "LogSoftmax"])
def test_logits_and_probabilities_are_distinguished(write, rows, last):
    model = from_onnx(write(graph(last=last, rows=rows)), SPACE, ("a", "b"))
    torch.testing.assert_close(model(X).softmax(-1), Z.softmax(-1))
    if not last:
        torch.testing.assert_close(model(X), Z)


def test_double_precision_is_kept_inside(write):
    model = from_onnx(write(graph(weight=WEIGHT.astype(np.float64), kind=TensorProto.DOUBLE)), SPACE, ("a", "b"))
    torch.testing.assert_close(model(X), Z)


def test_the_digest_is_that_of_the_file(write):
    one, same, other = (from_onnx(write(graph(weight=w), n), SPACE, ("a", "b")).digest()
                        for w, n in ((WEIGHT, "1.onnx"), (WEIGHT, "2.onnx"), (2 * WEIGHT, "3.onnx")))  # fmt: skip
    assert one == same != other


def test_an_onnx_model_without_gradients_is_explained(write):
    model = from_onnx(write(graph()), SPACE, ("a", "b"))
    with pytest.raises(Unsupported, match="a black box"):
        IntegratedGradients()(model, X)
    # From a reference of zeros each feature's Shapley value in a linear model is weight times input.
    shap = KernelShap()(model, X, torch.zeros(7, dtype=torch.long))
    torch.testing.assert_close(shap.values, X * torch.from_numpy(WEIGHT)[:, 0], atol=1e-4, rtol=0)


@pytest.mark.slow
def test_an_onnx_model_is_audited_end_to_end(write, tmp_path):
    model = from_onnx(write(graph(last="Softmax")), SPACE, ("a", "b"))
    data = Dataset(X.repeat(10, 1), Z.argmax(1).repeat(10), space=SPACE, classes=("a", "b"))
    plan = plan_from({"name": "m", "model": {"onnx": "m.onnx"}, "data": {"csv": "x.csv", "label": "y"}})
    manifest = run(plan, model, data, tmp_path / "m").manifest
    assert manifest.model.sha256 == model.digest()
    assert {s.name: s.status for s in manifest.steps}["explain-lime"] == "done"


def test_tensors_beside_the_file_are_read_from_its_folder(write, tmp_path):
    path = write(graph(), save_as_external_data=True, location="weights.data", size_threshold=0)
    torch.testing.assert_close(from_onnx(path, SPACE, ("a", "b"))(X), Z)
    before = from_onnx(path, SPACE, ("a", "b")).digest()
    content = bytearray((tmp_path / "weights.data").read_bytes())
    content[3] ^= 1
    (tmp_path / "weights.data").write_bytes(content)
    assert from_onnx(path, SPACE, ("a", "b")).digest() != before
    (tmp_path / "weights.data").unlink()
    with pytest.raises(DataError, match=r"'weights\.data', and there is no such file"):
        from_onnx(path, SPACE, ("a", "b"))


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "sub/../../secret", ""])
def test_files_outside_the_folder_are_refused_unopened(write, tmp_path, location):
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret").write_bytes(WEIGHT.tobytes())
    model = graph()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    with pytest.raises(UnsafeError, match="outside its folder"):
        from_onnx(write(model, "inner/m.onnx"), SPACE, ("a", "b"))


def test_a_link_that_leaves_the_folder_is_refused(write, tmp_path):
    path = write(graph(), "m.onnx", save_as_external_data=True, location="weights.data", size_threshold=0)
    (tmp_path / "inner").mkdir()
    path = path.rename(tmp_path / "inner" / "m.onnx")
    (tmp_path / "inner" / "weights.data").symlink_to(tmp_path / "weights.data")
    with pytest.raises(UnsafeError, match="outside its folder"):
        from_onnx(path, SPACE, ("a", "b"))


def nested(tensor):
    """The tensor as the constant of a branch inside a branch: where a reader of the outermost graph would miss it."""
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    out = [helper.make_tensor_value_info("c", TensorProto.FLOAT, None)]
    inner = helper.make_graph([constant], "inner", [], out)
    branch = helper.make_graph(
        [helper.make_node("If", ["t"], ["c"], then_branch=inner, else_branch=inner)], "b", [], out
    )
    model = graph()
    model.graph.node.append(helper.make_node("If", ["t"], ["c"], then_branch=branch, else_branch=branch))
    return model


@pytest.mark.parametrize("dims", [(2**40,), (2**20, 2**20), (-1,), (2**62, 2**62)])
def test_sizes_that_the_file_does_not_hold_are_refused(write, dims):
    tensor = TensorProto(dims=dims, data_type=TensorProto.FLOAT, raw_data=b"1234", name="W")
    outer = graph()
    outer.graph.initializer[0].CopyFrom(tensor)
    for model in (outer, nested(tensor)):
        with pytest.raises(DataError, match="declares a tensor of"):
            from_onnx(write(model), SPACE, ("a", "b"))


def test_the_largest_tensor_of_a_nested_graph_is_found(write):
    hidden = TensorProto(dims=[4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL, name="c")
    hidden.external_data.add(key="location", value="../secret")
    with pytest.raises(UnsafeError, match=r"'\.\./secret' outside"):
        files(write(nested(hidden)))


def test_an_invalid_file_is_refused_in_one_sentence(tmp_path, write):
    whole = write(graph()).read_bytes()
    for content in (b"", b"x", b"\xff" * 50, whole[: len(whole) // 2], whole[:-5], b"PK\x03\x04" + whole):
        (tmp_path / "odd.onnx").write_bytes(content)
        with pytest.raises(DataError, match=r"as ONNX|cannot run"):
            from_onnx(tmp_path / "odd.onnx", SPACE, ("a", "b"))
    with pytest.raises(DataError, match=r"^cannot read \S+none.onnx: No such file or directory$"):
        from_onnx(tmp_path / "none.onnx", SPACE, ("a", "b"))


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate(2**31 + 1)  # a hole: it takes no disk
    with pytest.raises(DataError, match="which no ONNX file has"):
        from_onnx(tmp_path / "huge.onnx", SPACE, ("a", "b"))


def test_operators_of_other_libraries_are_not_loaded(write):
    with pytest.raises(DataError, match=r"onnxruntime cannot run m\.onnx.*not loaded"):
        from_onnx(write(graph(last="Theirs", domain="com.example")), SPACE, ("a", "b"))


def test_other_inputs_and_outputs_are_refused(write):
    two = graph()
    two.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", 3]))
    with pytest.raises(Unsupported, match=r"inputs x: tensor\(float\), mask"):
        from_onnx(write(two), SPACE, ("a", "b"))
    labels = graph()
    labels.graph.node.append(helper.make_node("ArgMax", ["z"], ["label"], axis=1))
    labels.graph.output.insert(0, helper.make_tensor_value_info("label", TensorProto.INT64, ["n", 1]))
    torch.testing.assert_close(from_onnx(write(labels), SPACE, ("a", "b"))(X), Z)
    del labels.graph.output[1]
    with pytest.raises(Unsupported, match="zipmap"):
        from_onnx(write(labels), SPACE, ("a", "b"))


def test_onnx_inputs_have_the_declared_shape(write):
    with pytest.raises(ShapeError, match=r"expected \(2, 3\)"):
        from_onnx(write(graph()), SPACE, ("a", "b", "c"))
    with pytest.raises(ProbeError, match=r"leaves the shape of its input open.*reference"):
        from_onnx(write(graph(columns="many")), Space(), ("a", "b"))
    # Where the file fixes the shape no reference is needed.
    from_onnx(write(graph()), Space(bounds=(-torch.inf, torch.inf)), ("a", "b"))


@pytest.mark.parametrize(
    "space",
    [
        Space(reference=torch.zeros(1, 4)),
        Space(reference=torch.zeros(1, 1, 2, 2)),
        Space(bounds=(torch.zeros(4), torch.ones(4))),
    ],
)
def test_another_number_of_columns_names_both_shapes(write, space):
    path = write(graph())
    with pytest.raises(ShapeError, match=r"m\.onnx reads examples of shape \(3,\), and those of the space have \("):
        from_onnx(path, space, ("a", "b"))
    model = from_onnx(path, SPACE, ("a", "b"))
    with pytest.raises(ShapeError, match=r"have \(4,\); give it the columns"):
        model(torch.zeros(2, 4))


@pytest.mark.parametrize("columns", ["many", None])
def test_a_shape_that_shows_only_when_it_runs_is_one_sentence(write, columns):
    with pytest.raises(ForwardError, match=r"^m\.onnx failed on inputs of shape \(1, 4\): .*") as raised:
        from_onnx(write(graph(columns=columns)), Space(reference=torch.zeros(1, 4)), ("a", "b"))
    assert "\n" not in str(raised.value)


def test_an_answer_that_varies_is_caught(write):
    noisy = graph(last="Softmax")
    noise = helper.make_node("RandomNormalLike", ["z"], ["noise"], scale=1.0)
    noisy.graph.node.insert(1, noise)
    noisy.graph.node.insert(2, helper.make_node("Add", ["z", "noise"], ["w"]))
    noisy.graph.node[3].input[0] = "w"
    with pytest.raises(ProbeError, match="differently when asked again"):
        from_onnx(write(noisy), SPACE, ("a", "b"))


def making(operator, inputs, *, beside=(), opset=17):
    """x @ weight plus the sum of what an operator makes of constants, a half of which are initialisers."""
    model = graph()
    names = []
    for i, value in enumerate(map(np.asarray, inputs)):
        names.append(f"c{i}")
        if i % 2:
            model.graph.initializer.append(numpy_helper.from_array(value, names[-1]))
        else:
            constant = helper.make_node("Constant", [], [names[-1]], value=numpy_helper.from_array(value))
            model.graph.node.append(constant)
    model.graph.node.extend(
        [
            *beside,
            helper.make_node(operator, names, ["big"]),
            helper.make_node("Cast", ["big"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["numbers"], ["sum"], keepdims=0),
            helper.make_node("Add", ["z", "sum"], ["y"]),
        ]
    )
    model.graph.output[0].name = "y"
    model.opset_import[0].version = opset
    return model


ONE = np.float32([1])


@pytest.mark.parametrize(("operator", "inputs", "numbers"), [
    ("ConstantOfShape", [[10**9]], "1,000,000,000"),
    ("ConstantOfShape", [[1000, 1000, 1000]], "1,000,000,000"),
    ("Expand", [ONE, [10**5, 10**5]], "10,000,000,000"),
    ("Expand", [np.ones((10**5, 1), np.float32), [1, 10**5]], "10,000,000,000"),
    ("Tile", [np.ones(10**4, np.float32), [10**6]], "10,000,000,000"),
    ("Range", [0, 10**9, 1], "1,000,000,000"),
    ("Range", [np.float32(0), np.float32(-1e9), np.float32(-0.5)], "2,000,000,000"),
    ("Pad", [ONE, [0, 10**9]], "1,000,000,001"),
    ("OneHot", [[1], 10**9, np.float32([0, 1])], "1,000,000,000"),
    ("Resize", [ONE, ONE[:0], np.float32([1e9])], "1,000,000,000"),
    ("Tile", [np.ones((2, 2), np.float32), [2**62, 2**62]], '85,070,591,730,234,615,865,843,651,857,942,052,864'),
])  # fmt: skip
def test_tensors_of_constant_shape_are_counted(write, operator, inputs, numbers):
    path = write(making(operator, inputs))
    with pytest.raises(DataError, match=f"makes {numbers} numbers of shapes that are constants"):
        from_onnx(path, SPACE, ("a", "b"))


@pytest.mark.parametrize(("operator", "inputs", "made"), [
    ("ConstantOfShape", [[3, 4]], 0),
    ("ConstantOfShape", [[0, 2**40]], 0),
    ("Expand", [ONE, [3, 1]], 3),
    ("Tile", [ONE, [5]], 5),
    ("Range", [0, 4, 1], 6),
    ("Pad", [ONE, [2, 3]], 1),
])  # fmt: skip
def test_ordinary_constants_are_made(write, operator, inputs, made):
    model = from_onnx(write(making(operator, inputs)), SPACE, ("a", "b"))
    torch.testing.assert_close(model(X), Z + made)


def test_many_tensors_of_constant_shape_are_counted_together(write):
    nodes = [helper.make_node("ConstantOfShape", ["c0"], [f"more{i}"]) for i in range(40)]
    with pytest.raises(DataError, match="makes 164,000,000 numbers"):
        from_onnx(write(making("ConstantOfShape", [[4 * 10**6]], beside=nodes)), SPACE, ("a", "b"))


@pytest.mark.parametrize("value", [{"value_ints": [10**6, 10**3]}, {"value_int": 10**9}])
def test_a_shape_of_plain_numbers_is_seen_in_a_branch_too(write, value):
    nodes = [helper.make_node("Constant", [], ["c"], **value), helper.make_node("ConstantOfShape", ["c"], ["big"])]
    branch = helper.make_graph(nodes, "b", [], [helper.make_tensor_value_info("big", TensorProto.FLOAT, None)])
    model = graph()
    model.graph.node.append(helper.make_node("If", ["t"], ["big"], then_branch=branch, else_branch=branch))
    with pytest.raises(DataError, match="makes 2,000,000,000 numbers"):
        files(write(model))


def test_noise_and_sparse_tensors_are_counted_by_their_shape(write):
    noise, sparse = graph(), graph()
    noise.graph.node.append(helper.make_node("RandomNormal", [], ["noise"], shape=[10**5, 10**4]))
    values = numpy_helper.from_array(ONE, "s")
    places = numpy_helper.from_array(np.int64([0]), "i")
    sparse.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [10**9]))
    for model in (noise, sparse):
        with pytest.raises(DataError, match="makes 1,000,000,000 numbers"):
            files(write(model))


def test_an_invalid_shape_does_not_hide_others(write):
    below = helper.make_node("ConstantOfShape", ["minus"], ["none"])
    model = making("ConstantOfShape", [[10**9]], beside=[below])
    model.graph.initializer.append(numpy_helper.from_array(np.int64([-(10**12)]), "minus"))
    with pytest.raises(DataError, match="makes 1,000,000,000 numbers"):
        files(write(model))
    with pytest.raises(DataError, match="a shape has more than 64 sides"):
        files(write(making("ConstantOfShape", [[1] * 64 + [10**9]])))


def test_a_shape_beside_the_file_is_not_followed(write):
    path = write(making("Tile", [ONE, [10**9]]), save_as_external_data=True, location="w.data", size_threshold=0)
    with pytest.raises(DataError, match="a shape is kept in another file"):
        from_onnx(path, SPACE, ("a", "b"))


TABLE = Space(names=("age", "debt", "rent"), kinds=("continuous",) * 3, bounds=(-9, 9), reference=X)
MEANT = {
    "regression": Regression(("hours",), tolerance=2.0),
    "one logit": Classification(("no", "yes"), outputs="one logit", threshold=0.3),
    "labels": MultiLabel(("a", "b")),
}


def exported(task, space=TABLE, **changed):
    """What `probe export` writes: a network and what it means."""
    one = len(task.names) == 1 or getattr(task, "outputs", "") == "one logit"
    model = graph(weight=WEIGHT[:, :1] if one else WEIGHT)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1 if one else 2
    for key, value in (written(task, space) | changed).items():
        model.metadata_props.add(key=key, value=value)
    return model


@pytest.mark.parametrize("kind", MEANT)
def test_an_exported_onnx_file_describes_its_inputs_and_outputs(write, kind):
    model = from_onnx(write(exported(MEANT[kind])))
    assert model.task == MEANT[kind]
    assert model.space.names == TABLE.names
    assert torch.equal(model.space.reference, X)
    expected = model.task.logits(Z if kind == "labels" else Z[:, :1])
    torch.testing.assert_close(model.logits(X), expected)


@pytest.mark.parametrize("kind", ["regression", "one logit"])
def test_a_plan_takes_task_classes_and_unit_from_the_file(write, tmp_path, kind):
    path = write(exported(MEANT[kind]))
    answers = Z[:, 0].tolist() if kind == "regression" else ["yes" if z > 0 else "no" for z in Z[:, 0]]
    lines = [",".join(map(str, (*row, answer))) for row, answer in zip(X.tolist(), answers, strict=True)]
    (tmp_path / "people.csv").write_text("\n".join(["age,debt,rent,answer", *lines]))
    plan = {"name": "m", "model": {"onnx": str(path)}, "data": {"csv": str(tmp_path / "people.csv"), "label": "answer"}}
    model, data = open_both(plan_from(plan))
    assert model.task == MEANT[kind]
    assert not bool(model.task.wrong(model.logits(data.inputs), data.labels).any()) or kind == "one logit"
    assert not [notice for notice in model.notices if "assumed" in notice]


def test_a_plan_overrides_the_metadata_of_an_onnx_file(write):
    path = write(exported(MEANT["one logit"]))
    assert from_onnx(path, SPACE, task=Regression(("odds",))).task == Regression(("odds",))
    assert from_onnx(path, SPACE).space is SPACE
    with pytest.raises(ProbeError, match="outputs are, in this order: no, yes; leave classes and task out"):
        from_onnx(path, task=Classification(("yes", "no"), outputs="one logit"))


@pytest.mark.parametrize("changed", [
    {"probe.task": "{"}, {"probe.task": '{"kind": "oracle"}'}, {"probe.task": "[]"}, {"probe.task": "7"},
    {"probe.task": '{"kind": "regression", "outputs": 3}'}, {"probe.space": "null"}, {"probe.space": "{}"},
    {"probe.space": '{"record": {}, "arrays": "UEs="}'}, {"probe.space": '{"record": 1, "arrays": "not base64"}'},
    {"probe.space": "[" * 10**5},
])  # fmt: skip
def test_metadata_of_an_onnx_file_is_not_trusted(write, changed):
    with pytest.raises(DataError, match=r"what m\.onnx says of its inputs and answers is damaged \(.*export it again"):
        from_onnx(write(exported(MEANT["regression"], **changed)))


def test_metadata_of_other_programs_is_ignored(write):
    model = graph()
    model.metadata_props.add(key="task", value="detect")
    with pytest.raises(ProbeError, match=r"does not say what its inputs mean; give a space: Space\(reference=rows\)"):
        from_onnx(write(model))
    assert from_onnx(write(model), SPACE, ("a", "b")).task == Classification(("a", "b"))


@pytest.mark.parametrize(("task", "squeezed"), [
    (Regression(("price",)), False), (Regression(("price",)), True), (Classification(outputs="one logit"), False),
    (MultiLabel(("warm",)), False),
], ids=str)  # fmt: skip
def test_one_output_is_what_the_task_says(write, task, squeezed):
    model = graph(weight=WEIGHT[:, :1])
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    if squeezed:
        model.graph.node.append(helper.make_node("Squeeze", ["z", "axes"], ["y"]))
        model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "axes"))
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"]))
    path = write(model)
    with pytest.raises(ShapeError, match=r"one number for each row.*a plan says in \[model\] task"):
        from_onnx(path, SPACE, ("a", "b"))
    found = from_onnx(path, SPACE, task=task)
    assert found.task == task
    last = found(X)[:, -1]
    torch.testing.assert_close(last, Z[:, 0] / (2 if task.kind == "classification" else 1))


def test_one_of_several_outputs_is_named(write):
    model = graph()
    model.graph.node.append(helper.make_node("Neg", ["z"], ["other"]))
    model.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, ["n", 2]))
    path = write(model)
    with pytest.raises(Unsupported, match="name the one to study: part='z', say"):
        from_onnx(path, SPACE, ("a", "b"))
    for part in ("other", 1):
        torch.testing.assert_close(from_onnx(path, SPACE, ("a", "b"), part=part)(X), -Z)
    with pytest.raises(Unsupported, match="part='nowhere' is none of them"):
        from_onnx(path, SPACE, ("a", "b"), part="nowhere")
