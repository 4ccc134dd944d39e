"""Our device handling on the real ttnn wheel, with chips that only a file describes."""

from pathlib import Path

import pytest

from ttdirect.device.system import System
from ttdirect.hardware.boards import find_board
from ttnn_wheel import make_root, needs_ttnn, run

pytestmark = [pytest.mark.slow, needs_ttnn]

OPEN_AND_CLOSE = """
mesh = open_mesh(ttnn, model="some/model")
view = ttnn.get_memory_view(mesh.device, ttnn.BufferType.DRAM)
seen = dict(
    shape=list(mesh.device.shape),
    ids=mesh.device.get_device_ids(),
    dram=view.num_banks * view.total_bytes_per_bank,
)
mesh.close()
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_root(tmp_path_factory.mktemp("ttnn"))


@pytest.mark.parametrize(
    ("cluster", "chips", "architecture"),
    [("n150", 1, "wormhole_b0"), ("n300", 2, "wormhole_b0"), ("p150", 1, "blackhole")],
)
def test_chips_are_found_and_known_by_their_board(tmp_path, cluster, chips, architecture):
    code = "s = look_at(ttnn); show(chips=s.chips, cluster=s.cluster, is_card=s.is_card)"
    system = System(**run(code, tmp_path, cluster))
    assert system == System(chips, cluster.upper(), is_card=True)
    assert system.board.name == cluster.upper()
    assert system.board.architecture == architecture
    assert system.board.chips == chips


@pytest.mark.parametrize("cluster", ["n150", "p100", "p150"])
def test_a_single_chip_opens_closes_and_opens_again(tmp_path, root, cluster):
    """On Blackhole as on Wormhole; its DRAM is what our table of boards says."""
    code = f"{OPEN_AND_CLOSE}\nmesh = open_mesh(ttnn, model='m'); mesh.close(); show(**seen)"
    seen = run(code, tmp_path, cluster, root)
    assert (seen["shape"], seen["ids"]) == ([1, 1], [0])
    assert 0 <= seen["dram"] - find_board(cluster).dram_bytes_per_chip < 0.001 * seen["dram"]


@pytest.mark.parametrize(
    ("cluster", "cores", "axis", "grid"),
    [
        ("n150", "WORKER", "ROW", (8, 8)),
        ("n300", "ETH", "ROW", (8, 8)),
        ("p100", "WORKER", "COL", None),
        ("p150", "WORKER", "COL", (13, 10)),
    ],
)
def test_commands_are_dispatched_by_the_cores_that_suit_the_board(
    tmp_path, root, cluster, cores, axis, grid
):
    """Ethernet cores where two chips have them, or the models would lack a row of the grid."""
    code = """
asked = []
really_open = ttnn.open_mesh_device

def open_and_note(*arguments, dispatch_core_config, **options):
    asked.append(dispatch_core_config)
    return really_open(*arguments, dispatch_core_config=dispatch_core_config, **options)

ttnn.open_mesh_device = open_and_note
mesh = open_mesh(ttnn, model="some/model")
grid = mesh.device.compute_with_storage_grid_size()
mesh.close()
show(cores=asked[0].type.name, axis=asked[0].axis.name, grid=[grid.x, grid.y])
"""
    seen = run(code, tmp_path, cluster, root)
    assert (seen["cores"], seen["axis"]) == (cores, axis)
    assert grid is None or tuple(seen["grid"]) == grid


def test_two_chips_are_wired_opened_divided_closed_and_opened_again(tmp_path, root):
    code = """
mesh = open_mesh(ttnn, model="some/model")
parts = mesh.device.create_submeshes(ttnn.MeshShape(1, 1))
del parts  # not closed by hand
shape = list(mesh.device.shape)
fabric = ttnn.get_fabric_config().name
mesh.close()
after = ttnn.get_fabric_config().name
again = open_mesh(ttnn, (1, 2), model="some/model")
again.close()
show(shape=shape, fabric=fabric, after=after)
"""
    seen = run(code, tmp_path, "n300", root)
    assert seen == {"shape": [1, 2], "fabric": "FABRIC_1D", "after": "DISABLED"}


@pytest.mark.parametrize("closes", ["part", "nobody"])
def test_a_mesh_in_two_parts_is_closed_whether_the_generator_closed_them_or_not(
    tmp_path, root, closes
):
    """With several models, tt-metal's Generator closes their submeshes when it is dropped."""
    code = f"""
mesh = open_mesh(ttnn, data_parallel=2, model="some/model")
views = [ttnn.get_memory_view(part, ttnn.BufferType.DRAM) for part in mesh.parts]
seen = dict(
    shapes=[list(part.shape) for part in mesh.parts],
    ids=[part.get_device_ids() for part in mesh.parts],
    dram=[view.num_banks * view.total_bytes_per_bank for view in views],
    fabric=ttnn.get_fabric_config().name,
)
if {closes!r} == "part":
    for part in mesh.parts:
        ttnn.close_mesh_device(part)
    del part
mesh.close()
after = ttnn.get_fabric_config().name
again = open_mesh(ttnn, data_parallel=2, model="some/model")
again.close()
show(**seen, after=after)
"""
    seen = run(code, tmp_path, "n300", root)
    assert seen["shapes"] == [[1, 1], [1, 1]]
    assert sorted(seen["ids"]) == [[0], [1]]
    assert min(seen["dram"]) >= find_board("N300").dram_bytes_per_chip
    assert (seen["fabric"], seen["after"]) == ("FABRIC_1D", "DISABLED")


def test_a_mesh_that_cannot_be_divided_is_refused_before_it_opens(tmp_path):
    """There is no compiler here, so opening would fail in another way."""
    code = "show(seen=refusal(open_mesh, ttnn, data_parallel=3, model='some/model'))"
    assert run(code, tmp_path, "n300")["seen"][0] == "no-such-parts"


def test_one_chip_of_two_is_opened_without_wiring(tmp_path, root):
    code = f"{OPEN_AND_CLOSE}\nshow(**seen, fabric=ttnn.get_fabric_config().name)"
    seen = run(code, tmp_path, "n300", root, MESH_DEVICE="N150")
    assert (seen["shape"], seen["fabric"]) == ([1, 1], "DISABLED")


def test_a_server_s_worker_can_open_what_its_master_has_imported(tmp_path, root):
    """gunicorn forks after the script was imported; the engine has a thread of its own."""
    code = """
def serve():
    mesh = open_mesh(ttnn, model="some/model")
    shape = list(mesh.device.shape)
    mesh.close()
    show(shape=shape, thread=threading.current_thread().name)

if os.fork() == 0:
    engine = threading.Thread(target=serve, name="engine")
    engine.start()
    engine.join()
    os._exit(0)
assert os.wait()[1] == 0
"""
    assert run(code, tmp_path, "n150", root) == {"shape": [1, 1], "thread": "engine"}


def test_memory_that_is_full_is_told_with_its_numbers(tmp_path, root):
    code = """
mesh = open_mesh(ttnn, model="some/model")
def fill():
    shape = ttnn.Shape([1, 1, 32768, 32768])  # 2.1 GB
    return [
        ttnn.allocate_tensor_on_device(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, mesh.device)
        for _ in range(20)
    ]
code, what = refusal(fill)
mesh.close()
show(code=code, what=what)
"""
    assert run(code, tmp_path, "n150", root) == {
        "code": "out-of-memory",
        "what": "The DRAM of the chips is full: 2,147.5 MB more were asked for, and of each bank's "
        "1,068.5 MB only 173.7 MB are free.",
    }


def test_a_mesh_that_is_too_large_is_refused_by_us_and_by_ttnn_in_the_same_words(tmp_path, root):
    code = """
ours = refusal(open_mesh, ttnn, (1, 8), model="some/model")
theirs = refusal(ttnn.open_mesh_device, ttnn.MeshShape(1, 8))
show(ours=ours, theirs=theirs)
"""
    seen = run(code, tmp_path, "n150", root)
    expected = ["mesh-too-large", "A mesh of shape (1, 8) needs 8 chips, but 1 are here."]
    assert seen == {"ours": expected, "theirs": expected}


def test_a_model_that_does_not_fit_is_refused_before_a_device_opens(tmp_path):
    """There is no compiler here, so opening would fail in another way."""
    code = """
model = "meta-llama/Llama-3.1-70B-Instruct"
code, what = refusal(open_mesh, ttnn, model=model, cache_tokens=32768)
show(code=code, what=what)
"""
    seen = run(code, tmp_path, "n300")
    assert seen["code"] == "not-enough-memory"
    assert "a (1, 2) mesh of N300 chips has 25.2 GB of DRAM" in seen["what"]


@pytest.mark.skipif(Path("/dev/tenstorrent").exists(), reason="there is a card here")
def test_no_chips(tmp_path):
    code = "show(seen=refusal(open_mesh, ttnn, model='some/model'))"
    assert run(code, tmp_path) == {"seen": ["no-chips", "No Tenstorrent chip answers."]}


@pytest.mark.skipif(Path("/opt/tenstorrent/sfpi").exists(), reason="the compiler is here")
def test_no_compiler(tmp_path):
    code = "show(seen=refusal(open_mesh, ttnn, model='some/model'))"
    assert run(code, tmp_path, "n150")["seen"][0] == "no-sfpi"


def test_chips_that_are_hidden(tmp_path):
    code = "show(seen=refusal(open_mesh, ttnn, model='some/model'))"
    seen = run(code, tmp_path, "n300", TT_VISIBLE_DEVICES="7")["seen"]
    assert seen == ["no-such-device", "TT_VISIBLE_DEVICES=7 names no chip of this computer."]


def test_an_opening_that_fails_takes_the_fabric_down(tmp_path, root):
    """Kernels of the fabric cannot be compiled without a compiler; then nothing stays behind."""
    compiler = root / "runtime/sfpi/compiler/bin/riscv-tt-elf-g++"
    broken = make_root(tmp_path / "broken")
    (broken / compiler.relative_to(root)).write_text(
        compiler.read_text().replace("output.touch()", "sys.exit('no space')")
    )
    code = """
code, what = refusal(open_mesh, ttnn, model="some/model")
show(code=code, fabric=ttnn.get_fabric_config().name)
"""
    seen = run(code, tmp_path, "n300", broken)
    assert seen == {"code": "device-failed", "fabric": "DISABLED"}


def test_every_name_that_we_use_is_in_the_wheel(tmp_path):
    code = """
names = "MeshShape open_mesh_device close_mesh_device set_fabric_config get_num_devices"
names += " get_arch_name DispatchCoreConfig bfloat8_b"
show(
    missing=[name for name in names.split() if not hasattr(ttnn, name)],
    fabrics=[fabric.name for fabric in ttnn.FabricConfig.__members__.values()],
    clusters=list(type(ttnn.cluster.get_cluster_type()).__members__),
)
"""
    seen = run(code, tmp_path, "n150")
    assert seen["missing"] == []
    assert {"DISABLED", "FABRIC_1D", "FABRIC_1D_RING", "FABRIC_2D_TORUS_XY"} <= set(seen["fabrics"])
    unknown = {name for name in seen["clusters"] if System(1, name, is_card=True).board is None}
    assert all(name.startswith(("SIMULATOR", "CUSTOM", "INVALID")) for name in unknown), unknown
