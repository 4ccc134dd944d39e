"""The decoder for GPUs: on a GPU where there is one, and always with its steps recorded on the CPU.

Both run the same code but for what captures a step: `cuda.GraphCapture`, or `recorded.record`.
"""

import types

import pytest
import torch

from generator.conftest import VARIANTS, Server
from generator.fake_gpu import GPU, fake_gpu
from generator.recorded import record
from ttdirect import generator as ttnn
from ttdirect.generator import Generator, PagedAttentionConfig, cuda
from ttdirect.generator.checkpoint import CheckpointTensors
from ttdirect.generator.decoders import Limits
from ttdirect.generator.errors import NoSuchDeviceError, NotEnoughMemoryError, UnsupportedModelError
from ttdirect.generator.graphed import GraphedTransformer
from ttdirect.generator.precision import EXACT, INT8, NATIVE_BF16

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="PyTorch finds no GPU here: CUDA graphs are not tested"
)


class Recorded(Server):
    """A server of a model loaded as for a GPU, but on the CPU, its steps recorded."""

    def __init__(self, folder, **changes):
        super().__init__(folder, **changes)
        count, _, block_size, _ = self.kv_cache[0][0].shape
        pool = PagedAttentionConfig(block_size, count)
        self.model, self.kv_cache, _ = cuda.load_graphed(
            self.model.spec,
            CheckpointTensors(folder),
            EXACT,
            Limits(self.args.max_batch_size, self.args.max_seq_len, pool),
            device=torch.device("cpu"),
            capture=record,
            progress=lambda *_: None,
        )
        self.model.capture(self.kv_cache)
        self.generator = Generator([self.model], [self.args], None)


@pytest.fixture(params=["recorded", pytest.param("gpu", marks=needs_gpu)])
def graphed(request, monkeypatch):
    """The class of servers: steps recorded on the CPU, or captured on a GPU."""
    if request.param == "recorded":
        return Recorded
    monkeypatch.setenv("TTDIRECT_DEVICE", "cuda")
    return Server


def assert_agrees(checkpoint, row, prompt_length):
    """Each step's logits are the reference's for the same text, and so is each greedy token."""
    expected = checkpoint.logits(row.tokens[:-1])[prompt_length - 1 :]
    assert (torch.stack(row.logits) - expected).abs().max() < 1e-3
    assert row.tokens[prompt_length:] == expected.argmax(-1).tolist()


def decode_alone(run, slot):
    """Decode one row of a running batch by itself, in another slot, and return its logits."""
    tokens, positions, table = run.inputs()
    other = (slot + 1) % run.args.max_batch_size
    alone = [torch.zeros_like(tokens), torch.full_like(positions, -1), torch.zeros_like(table)]
    for whole, single in zip((tokens, positions, table), alone, strict=True):
        single[other] = whole[slot]
    logits = run.generator.decode_forward_text(
        alone[0], alone[1], page_table=alone[2], kv_cache=[run.kv_cache]
    )
    return logits[other, 0].clone()


class TestAnswers:
    @pytest.mark.parametrize("name", VARIANTS)
    def test_every_family_computes_what_transformers_does(self, name, checkpoint, graphed):
        """From the first segment of 256 tokens into the second and, for one row, the third."""
        run = graphed(checkpoint(name).folder)
        assert isinstance(run.model, GraphedTransformer)
        lengths = {2: 3, 0: 230, 3: 470}
        run.admit({slot: run.prompt(length) for slot, length in lengths.items()})
        for _ in range(50):
            run.step()
        for slot, length in lengths.items():
            assert_agrees(checkpoint(name), run.rows[slot], length)

    @pytest.mark.parametrize("name", ["llama", "mistral-sliding", "qwen3-biases-sliding"])
    def test_the_answers_are_those_of_the_decoder_for_cpus(self, name, checkpoint, graphed, server):
        lengths = {0: 40, 1: 300}
        runs = [
            server(checkpoint(name).folder, dtype=ttnn.float32),
            graphed(checkpoint(name).folder),
        ]
        for run in runs:
            run.admit({slot: run.prompt(length) for slot, length in lengths.items()})
            for _ in range(20):
                run.step()
        for slot in lengths:
            assert runs[0].rows[slot].tokens == runs[1].rows[slot].tokens

    @pytest.mark.parametrize("block_size", [16, 48, 256])
    def test_any_block_size_gives_the_same_text(self, block_size, checkpoint, graphed):
        pool = PagedAttentionConfig(block_size, 80)
        reference = checkpoint("qwen2-sliding-layers")
        run = graphed(reference.folder, paged_attention_config=pool)
        run.admit({0: run.prompt(250), 1: run.prompt(block_size)})
        for _ in range(20):
            run.step()
        assert_agrees(reference, run.rows[0], 250)
        assert_agrees(reference, run.rows[1], block_size)

    def test_a_reused_slot_and_reused_blocks_start_afresh(self, checkpoint, graphed):
        reference = checkpoint("mistral-sliding")
        run = graphed(reference.folder)
        run.admit({1: run.prompt(70)})
        for turn in range(4):
            length = 20 + 91 * turn
            run.admit({2: run.prompt(length)})
            for _ in range(5):
                run.step()
            assert_agrees(reference, run.finish(2), length)
        assert_agrees(reference, run.finish(1), 70)


class TestNeighbours:
    """Who else is in the batch, and how long their texts are, changes no bit of an answer."""

    @pytest.mark.parametrize("name", ["llama", "phi3"])
    def test_a_row_has_the_same_bits_alone_and_beside_longer_ones(self, name, checkpoint, graphed):
        run = graphed(checkpoint(name).folder)
        run.admit({slot: run.prompt(length) for slot, length in enumerate((20, 255, 300, 700))})
        for _ in range(3):
            alone = [decode_alone(run, slot) for slot in range(4)]
            together = run.step()
            for slot in range(4):
                assert torch.equal(together[slot, 0], alone[slot])

    @pytest.mark.parametrize("name", ["llama", "qwen3-biases-sliding"])
    def test_a_prompt_has_the_same_bits_at_once_and_in_pieces(self, name, checkpoint, graphed):
        """So a beginning that is cached, in whole pieces of a tile, changes no answer."""
        run = graphed(checkpoint(name).folder)
        tokens, table = torch.tensor(run.prompt(300)), torch.arange(1, 11)

        def prefill(end, start):
            return run.model.prefill(tokens[:end], start, table, run.kv_cache, scribbles=False)

        at_once = prefill(300, 0).clone()
        for end, start in ((128, 0), (256, 128)):
            prefill(end, start)
        assert torch.equal(prefill(300, 256), at_once)
        assert torch.equal(prefill(300, 128), at_once)

    def test_rows_of_one_table_see_what_those_before_them_write(self, checkpoint, graphed):
        """So drafts can be verified in idle rows, as `verifies_drafts` promises."""
        run = graphed(checkpoint("mistral-sliding").folder)
        assert run.generator.verifies_drafts
        tokens, table = run.prompt(54), torch.tensor([[3, 1, 7, 4]])
        run.model.prefill(torch.tensor(tokens[:50]), 0, table[0], run.kv_cache, scribbles=False)
        arguments = tokens[50:], list(range(50, 54)), table.expand(4, -1), run.kv_cache
        together = run.model.decode(*arguments).clone()
        run.model.prefill(torch.tensor(tokens[:50]), 0, table[0], run.kv_cache, scribbles=False)
        for row, at in enumerate(range(50, 54)):
            [alone] = run.model.decode([tokens[at]], [at], table, run.kv_cache)
            assert torch.equal(together[row], alone)


class TestPages:
    def test_a_request_may_move_to_other_blocks(self, checkpoint, graphed):
        run = graphed(checkpoint("llama").folder)
        run.admit({0: run.prompt(60), 2: run.prompt(300)})
        before = run.step()[2, 0].clone()
        row = run.rows[2]
        del row.tokens[-1]
        moved = [run.free.pop() for _ in row.blocks]
        for pools in run.kv_cache:
            for pool in pools:
                pool[moved] = pool[row.blocks]
                pool[row.blocks] = 7.0
        row.blocks = moved
        assert torch.equal(run.step()[2, 0], before)

    def test_idle_rows_write_to_block_zero_and_nowhere_else(self, checkpoint, graphed):
        run = graphed(checkpoint("llama").folder)
        run.admit({1: run.prompt(40)})
        own = run.rows[1].blocks
        before = [[pool.clone() for pool in pools] for pools in run.kv_cache]
        run.step()
        for pools, olds in zip(run.kv_cache, before, strict=True):
            for pool, old in zip(pools, olds, strict=True):
                changed = (pool != old).flatten(1).any(1).nonzero().flatten().tolist()
                assert set(changed) <= {0, own[1]}
                assert own[1] in changed

    def test_columns_past_a_row_are_not_read(self, checkpoint, graphed):
        run = graphed(checkpoint("phi3").folder)
        run.admit({0: run.prompt(50), 3: run.prompt(280)})
        tokens, _, table = run.inputs()
        expected = run.model.decode([int(tokens[0])], [50], table[:1].long(), run.kv_cache).clone()
        table[0, 2:] = torch.tensor([-1, 10**6]).repeat(15)
        found = run.model.decode([int(tokens[0])], [50], table[:1].long(), run.kv_cache)
        assert torch.equal(found, expected)

    def test_another_cache_is_captured_anew(self, checkpoint, graphed):
        run = graphed(checkpoint("llama").folder)
        run.admit({0: run.prompt(30)})
        first = run.step()[0, 0].clone()
        del run.rows[0].tokens[-1]
        run.kv_cache = [[pool.clone() for pool in pools] for pools in run.kv_cache]
        assert torch.equal(run.step()[0, 0], first)


class TestOnAGpuThatIsNotThere:
    """Fake tensors raise where GPU and CPU mix, or where a step looks at a value."""

    @pytest.mark.parametrize("precision", [EXACT, NATIVE_BF16], ids=lambda it: it.name)
    @pytest.mark.parametrize(
        "name", ["llama-biases", "qwen3-biases-sliding", "phi3-partial-rotary", "llama-tied"]
    )
    def test_prompts_and_steps_stay_on_it(self, name, precision, checkpoint, server):
        spec = server(checkpoint(name).folder).model.spec
        stored = checkpoint(name).model.state_dict()
        steps = []

        def capture(step):
            steps.append(step)
            return step

        with fake_gpu() as mode:
            tensors = {name: mode.from_tensor(it) for name, it in stored.items()}
            model, kv_cache, _ = cuda.load_graphed(
                spec,
                tensors,
                precision,
                Limits(4, 1024, PagedAttentionConfig(32, 65)),
                device=GPU,
                capture=capture,
                progress=lambda *_: None,
            )
            table = torch.zeros(32, dtype=torch.int64)
            tokens = torch.zeros(200, dtype=torch.int64)
            logits = model.prefill(tokens, 32, table, kv_cache, scribbles=False)
            assert (logits.device.type, logits.dtype) == ("cpu", torch.float32)
            model.capture(kv_cache)
            assert len(steps) == 3
            with torch.inference_mode():
                for step in steps:
                    logits = step()
                    assert (logits.device, logits.dtype) == (GPU, torch.float32)
                    assert logits.shape == (4, spec.vocab_size)
            assert {pool.device for pools in kv_cache for pool in pools} == {GPU}


class TestDevice:
    def test_a_gpu_has_to_be_asked_for(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        for setting in ("", "auto", "cpu", " CPU "):
            monkeypatch.setenv("TTDIRECT_DEVICE", setting)
            mesh = ttnn.open_mesh_device()
            assert (mesh.torch_device.type, mesh.arch(), mesh.name) == ("cpu", "cpu", "CPU")

    def test_another_name_is_refused(self, monkeypatch):
        monkeypatch.setenv("TTDIRECT_DEVICE", "tenstorrent")
        with pytest.raises(NoSuchDeviceError) as caught:
            ttnn.open_mesh_device()
        assert caught.value.what.startswith("TTDIRECT_DEVICE is 'tenstorrent'")
        assert "ttdirect create --device tenstorrent" in caught.value.fix

    def test_a_pytorch_without_cuda_is_told(self, monkeypatch):
        monkeypatch.setenv("TTDIRECT_DEVICE", "cuda")
        monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: False)
        with pytest.raises(NoSuchDeviceError, match="built without CUDA") as caught:
            ttnn.open_mesh_device()
        assert "TTDIRECT_DEVICE=cpu" in caught.value.fix

    def test_a_computer_without_a_gpu_is_told(self, monkeypatch):
        monkeypatch.setenv("TTDIRECT_DEVICE", "cuda")
        monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(NoSuchDeviceError, match="finds none") as caught:
            ttnn.open_mesh_device()
        assert "nvidia-smi" in caught.value.fix

    def test_a_model_without_a_decoder_of_ours_is_refused(self, monkeypatch, tmp_path, load_model):
        from checkpoints import build_model, save_model  # noqa: PLC0415 - seconds, for one test

        mesh = ttnn.open_mesh_device()
        monkeypatch.setattr(mesh, "torch_device", GPU)
        folder = save_model(build_model("gpt_neox"), tmp_path)
        with pytest.raises(UnsupportedModelError, match="on the CPU only"):
            load_model(folder, mesh_device=mesh)

    def test_a_model_that_does_not_fit_is_refused_with_the_numbers(
        self, monkeypatch, checkpoint, server
    ):
        spec = server(checkpoint("llama").folder).model.spec
        limits = Limits(32, 2048, PagedAttentionConfig(32, 1 << 20))
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (3 << 30, 8 << 30))
        with pytest.raises(NotEnoughMemoryError) as caught:
            cuda.check_gpu_memory(spec, NATIVE_BF16, limits, GPU)
        # 2 layers, keys and values, 2^25 tokens, 2 heads of 16 numbers of 2 bytes
        assert "8.0 KV cache" in caught.value.what
        assert "3.0 of its 8.0 GiB are free" in caught.value.what
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (9 << 30, 10 << 30))
        cuda.check_gpu_memory(spec, NATIVE_BF16, limits, GPU)

    @pytest.mark.parametrize(
        ("wanted", "capability", "name", "compute"),
        [
            (EXACT, (8, 6), "float32", torch.float32),
            (NATIVE_BF16, (8, 0), "bfloat16", torch.bfloat16),
            (INT8, (12, 0), "bfloat16, because int8 is for CPUs", torch.bfloat16),
            (
                INT8,
                (7, 5),
                "bfloat16 weights computed in float32, because int8 is for CPUs",
                torch.float32,
            ),
        ],
    )
    def test_integer_weights_become_bfloat16(self, monkeypatch, wanted, capability, name, compute):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        found = cuda.gpu_precision(wanted)
        assert (found.name, found.compute) == (name, compute)


class TestGraphCapture:
    def test_it_warms_up_beside_and_replays_into_the_same_tensor(self, monkeypatch):
        """The order of calls, on a `torch.cuda` that only writes them down."""
        log, result = [], torch.zeros(1)
        monkeypatch.setattr(torch, "cuda", FakeCuda(log))

        def step():
            log.append("step")
            return result

        replay = cuda.GraphCapture()(step)
        warm_up = ["side waits for main", "enter side", *["step"] * cuda.WARM_UPS, "leave side"]
        assert log == [*warm_up, "main waits for side", "begin in pool", "step", "end"]
        assert replay() is result
        assert log[-1] == "replay"

    @needs_gpu
    def test_a_captured_step_reads_and_writes_where_it_did(self):
        inputs = torch.zeros(4, device="cuda")
        replay = cuda.GraphCapture()(lambda: inputs * 2 + 1)
        for value in (1.0, 5.0):
            inputs.fill_(value)
            assert replay().tolist() == [2 * value + 1] * 4

    @needs_gpu
    def test_bfloat16_is_close_to_the_reference_and_a_row_s_own(self, monkeypatch, checkpoint):
        monkeypatch.setenv("TTDIRECT_DEVICE", "cuda")
        run = Server(checkpoint("llama").folder, dtype=ttnn.bfloat8_b, max_batch_size=32)
        assert run.args.dtype.startswith("bfloat16")
        assert run.args.device_name == torch.cuda.get_device_name()
        run.admit({0: run.prompt(40), 2: run.prompt(300)})
        for _ in range(10):
            alone = {slot: decode_alone(run, slot) for slot in run.rows}
            together = run.step()
            assert all(torch.equal(together[slot, 0], it) for slot, it in alone.items())
        for row in run.rows.values():
            expected = checkpoint("llama").logits(row.tokens[:-1])[-11:]
            found = torch.stack(row.logits)
            assert (torch.cosine_similarity(found, expected, -1) > 0.99).all()


class FakeCuda(types.SimpleNamespace):
    """The names of `torch.cuda` that `GraphCapture` uses; each call is one line of the log."""

    def __init__(self, log):
        class Stream:
            def __init__(self, name="side"):
                self.name = name

            def wait_stream(self, other):
                log.append(f"{self.name} waits for {other.name}")

        class Region:
            def __init__(self, begin, end):
                self.begin, self.end = begin, end

            def __enter__(self):
                log.append(self.begin)

            def __exit__(self, *_):
                log.append(self.end)

        main = Stream("main")
        super().__init__(
            graph_pool_handle=lambda: "pool",
            Stream=Stream,
            current_stream=lambda: main,
            stream=lambda it: Region(f"enter {it.name}", f"leave {it.name}"),
            CUDAGraph=lambda: types.SimpleNamespace(replay=lambda: log.append("replay")),
            graph=lambda _graph, pool: Region(f"begin in {pool}", "end"),
        )
