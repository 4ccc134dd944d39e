"""From a folder to a model: shards, precisions, progress, memory, and every way to fail."""

from __future__ import annotations

import json
import shutil
import types

import huggingface_hub
import pytest
import torch
from huggingface_hub import errors

from checkpoints import build_model, save_model
from ttdirect import demo_model
from ttdirect import generator as ttnn
from ttdirect.generator import (
    ContextTooLongError,
    DecodersPrecision,
    GatedModelError,
    Generator,
    GeneratorError,
    ModelNotChosenError,
    ModelNotFoundError,
    NotACheckpointError,
    NotEnoughMemoryError,
    PagedAttentionConfig,
    UnsupportedModelError,
    create_tt_model,
    memory,
    threads,
)
from ttdirect.generator import (
    checkpoint as checkpoint_module,
)
from ttdirect.generator.config import parse_config
from ttdirect.generator.rope import rope_tables


def first_logits(loaded, tokens=(5, 6, 7)):
    args, model, kv_cache, _ = loaded
    width = -(-args.max_seq_len // 32)
    table = torch.arange(1, width + 1, dtype=torch.int32)[None]
    logits = Generator([model], [args], None).prefill_forward_text(
        torch.tensor([tokens]),
        page_table=None if kv_cache is None else table,
        kv_cache=[kv_cache],
    )
    return logits[0, 0]


def edit_config(folder, **changes):
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: it for key, it in config.items() if it is not ...}))


@pytest.fixture
def folder(checkpoint, tmp_path):
    """A copy of a Llama checkpoint that a test may damage."""
    return shutil.copytree(checkpoint("llama").folder, tmp_path / "copy")


def test_sharded_checkpoints_load(tmp_path, checkpoint, load_model):
    reference = checkpoint("llama")
    sharded = save_model(reference.model, tmp_path / "sharded", max_shard_size="60KB")
    assert len(list(sharded.glob("*.safetensors"))) > 2
    assert torch.equal(
        first_logits(load_model(sharded)), first_logits(load_model(reference.folder))
    )


def test_model_args_describe_the_model(checkpoint, load_model):
    def choose(args):
        return DecodersPrecision.performance(args.n_layers, args.model_name)

    args, model, kv_cache, tensors = load_model(checkpoint("llama").folder, optimizations=choose)
    assert (args.model_name, args.n_layers, args.vocab_size) == ("llama", 2, 320)
    assert (args.max_batch_size, args.max_seq_len, args.max_context_len) == (4, 1024, 2048)
    assert args.optimizations == DecodersPrecision("performance", 2, "llama")
    assert args.dtype == "float32"
    assert args.tokenizer.stop_tokens == [1, 3]
    stored = sum(it.numel() for it in checkpoint("llama").model.parameters()) * 4
    assert stored * 0.99 < args.weight_bytes <= stored
    assert [tuple(it.shape) for it in kv_cache[1]] == [(129, 2, 32, 16)] * 2
    assert args.kv_cache_bytes == 2 * 2 * 129 * 2 * 32 * 16 * 4
    assert tensors["model.norm.weight"].shape == (64,)
    assert model.row_quantum in {1, 2, 4}
    assert len(tensors) == len(list(tensors))


def test_default_optimizations_are_accuracy(checkpoint, load_model):
    args, *_ = load_model(checkpoint("llama").folder)
    assert args.optimizations == DecodersPrecision.accuracy(2, "llama")
    fixed = DecodersPrecision.performance(2, "llama")
    assert load_model(checkpoint("llama").folder, optimizations=fixed)[0].optimizations is fixed


def test_a_state_dict_replaces_the_files(checkpoint, load_model):
    reference = checkpoint("llama")
    tensors = {name: it.clone() for name, it in reference.model.state_dict().items()}
    tensors["lm_head.weight"] *= 2
    *_, returned = loaded = load_model(reference.folder, state_dict=tensors)
    assert returned is tensors
    expected = 2 * first_logits(load_model(reference.folder))
    assert torch.allclose(first_logits(loaded), expected, atol=1e-4)


def test_num_layers_keeps_the_first_layers(load_model, tmp_path):
    model = build_model("llama", num_hidden_layers=3)
    args, _, kv_cache, _ = loaded = load_model(save_model(model, tmp_path), num_layers=1)
    assert args.n_layers == len(kv_cache) == 1
    model.model.layers = model.model.layers[:1]
    with torch.no_grad():
        expected = model(torch.tensor([[5, 6, 7]])).logits[0, -1]
    assert (first_logits(loaded) - expected).abs().max() < 1e-4


def test_without_paging_each_row_has_its_own_cache(checkpoint, load_model):
    """`paged_attention_config=None`: no tables, slots alone say where keys and values go."""
    reference = checkpoint("llama")
    args, model, kv_cache, _ = load_model(
        reference.folder, paged_attention_config=None, max_seq_len=256
    )
    assert kv_cache is None
    generator = Generator([model], [args], None)
    prompts = {3: [5, 6, 7], 1: [8, 9, 10]}
    logits = generator.prefill_forward_text(
        torch.tensor(list(prompts.values())), empty_slots=list(prompts)
    )
    tokens, positions = torch.zeros(4, 1, dtype=torch.int64), torch.full((4,), -1)
    for index, slot in enumerate(prompts):
        tokens[slot], positions[slot] = logits[index, 0].argmax(), 3
    found = generator.decode_forward_text(tokens, positions)
    for slot, prompt in prompts.items():
        expected = reference.logits([*prompt, int(tokens[slot])])[-1]
        assert (found[slot, 0] - expected).abs().max() < 1e-4


def test_data_parallel_models_share_one_batch(checkpoint, load_model):
    """Two models of two rows: slot 3 is the second model's second row."""
    reference = checkpoint("llama")
    loaded = [load_model(reference.folder, max_batch_size=2) for _ in range(2)]
    generator = Generator([it[1] for it in loaded], [it[0] for it in loaded], None)
    caches = [it[2] for it in loaded]
    table = torch.tensor([[7] + [0] * 31, [7] + [0] * 31], dtype=torch.int32)
    prompts = {0: [5, 6, 7], 3: [8, 9, 10]}
    generator.prefill_forward_text(
        torch.tensor(list(prompts.values())),
        page_table=table,
        kv_cache=caches,
        empty_slots=list(prompts),
    )
    whole = torch.zeros(4, 32, dtype=torch.int32)
    whole[0], whole[3] = table[0], table[1]
    found = generator.decode_forward_text(
        torch.tensor([[11], [0], [0], [12]]),
        torch.tensor([3, -1, -1, 3]),
        page_table=whole,
        kv_cache=caches,
    )
    assert found.shape == (4, 1, 320)
    for slot, token in ((0, 11), (3, 12)):
        expected = reference.logits([*prompts[slot], token])[-1]
        assert (found[slot, 0] - expected).abs().max() < 1e-4


def test_progress_is_told_in_phases(checkpoint, load_model):
    told = []
    load_model(checkpoint("llama").folder, progress=lambda phase, done: told.append((phase, done)))
    fractions = [done for _, done in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert [phase for phase, _ in told][-1] == "ready"
    assert "loading weights" in dict(told)


def test_progress_is_a_bar_on_a_terminal(checkpoint, load_model, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    load_model(checkpoint("llama").folder)
    assert "loading weights" in capsys.readouterr().err


def test_nothing_is_printed_elsewhere(checkpoint, load_model, capsys):
    load_model(checkpoint("llama").folder)
    assert capsys.readouterr() == ("", "")


def test_the_demo_model_goes_by_its_name(checkpoint, load_model, monkeypatch):
    monkeypatch.setattr(demo_model, "CHECKPOINT", checkpoint("llama").folder, raising=False)
    args, *_ = load_model("demo")
    assert args.model_name == "ttdirect-demo"


def test_a_missing_demo_model_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(demo_model, "CHECKPOINT", tmp_path / "absent", raising=False)
    with pytest.raises(ModelNotFoundError, match="no demo model"):
        checkpoint_module.find_model("demo")


def test_hf_model_must_be_set(monkeypatch):
    """The text and the type are tt-metal's."""
    monkeypatch.delenv("HF_MODEL", raising=False)
    with pytest.raises(ValueError, match=r"Please set HF_MODEL to a HuggingFace name e\.g\."):
        create_tt_model(ttnn.open_mesh_device(), True, 1, None, 128)
    assert issubclass(ModelNotChosenError, GeneratorError)


def test_every_failure_says_what_to_do():
    error = NotACheckpointError("This happened.", "Do that.")
    assert (error.what, error.fix, str(error)) == (
        "This happened.",
        "Do that.",
        "This happened.\nDo that.",
    )


@pytest.mark.parametrize("name", ["/no/such/folder", "./models/absent", "absent", "a/b/c"])
def test_a_missing_folder_is_told(name):
    with pytest.raises(ModelNotFoundError, match="there is no such folder"):
        checkpoint_module.find_model(name)


def hub_error(kind, text):
    response = types.SimpleNamespace(headers={}, request=None, status_code=404)
    return getattr(errors, kind)(text, response=response)


def test_hub_failures_are_told(monkeypatch, tmp_path):
    def answer(outcome):
        def download(hub_id, **_):
            assert hub_id == "someone/model"
            if isinstance(outcome, Exception):
                raise outcome
            return str(outcome)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    answer(tmp_path)
    found = checkpoint_module.find_model("someone/model")
    assert (found.name, found.folder) == ("model", tmp_path)
    answer(errors.LocalEntryNotFoundError("offline"))
    with pytest.raises(ModelNotFoundError, match="the hub cannot be reached"):
        checkpoint_module.find_model("someone/model")
    answer(hub_error("RepositoryNotFoundError", "404"))
    with pytest.raises(ModelNotFoundError, match="The hub has no model 'someone/model'"):
        checkpoint_module.find_model("someone/model")
    answer(hub_error("GatedRepoError", "401"))
    with pytest.raises(GatedModelError, match="someone/model is gated") as caught:
        checkpoint_module.find_model("someone/model")
    assert "HF_TOKEN" in caught.value.fix


def test_a_folder_without_config_is_not_a_checkpoint(tmp_path, load_model):
    with pytest.raises(NotACheckpointError, match=r"has no config\.json"):
        load_model(tmp_path)


def test_a_config_that_is_not_json_is_told(folder, load_model):
    (folder / "config.json").write_text("{")
    with pytest.raises(NotACheckpointError, match="is not valid JSON"):
        load_model(folder)
    (folder / "config.json").write_text("[1]")
    with pytest.raises(NotACheckpointError, match="is not a JSON object"):
        load_model(folder)


def test_missing_and_damaged_weights_are_told(folder, load_model):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(NotACheckpointError, match=r"model.safetensors cannot be read"):
        load_model(folder)
    weights.unlink()
    with pytest.raises(NotACheckpointError, match=r"has no \*.safetensors files"):
        load_model(folder)
    index = {"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(NotACheckpointError, match=r"lacks model-00001-of-00002\.safetensors"):
        load_model(folder)


def test_weights_that_contradict_the_config_are_told(folder, load_model):
    edit_config(folder, intermediate_size=128)
    with pytest.raises(
        NotACheckpointError, match=r"gate_proj.weight' is \[96, 64\]; config.json says"
    ):
        load_model(folder)
    edit_config(folder, intermediate_size=96, num_hidden_layers=3)
    with pytest.raises(NotACheckpointError, match=r"no tensor 'model\.layers\.2"):
        load_model(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantization_config": {"quant_method": "gptq"}}, "is quantised"),
        ({"hidden_act": "gelu"}, "activation is 'gelu'"),
        (
            {"rope_parameters": {"rope_type": "proportional"}},
            "RoPE scaling .'proportional'. is not",
        ),
        ({"hidden_size": ...}, "no usable 'hidden_size'"),
    ],
)
def test_what_the_decoder_does_not_compute_is_refused(changes, message, folder, load_model):
    edit_config(folder, **changes)
    with pytest.raises(UnsupportedModelError, match=message):
        load_model(folder)


def test_rope_that_depends_on_each_text_is_refused_beyond_its_limit(checkpoint, load_model):
    with pytest.raises(UnsupportedModelError, match="beyond 1024 tokens") as caught:
        load_model(checkpoint("phi3-longrope").folder, max_seq_len=2048)
    assert "max_seq_len=1024" in caught.value.fix


def test_dynamic_rope_is_never_stretched_beyond_the_models_own_context(checkpoint):
    rope = parse_config(
        json.loads((checkpoint("llama-dynamic").folder / "config.json").read_text())
    )
    rope_tables(rope.rope, 2048)
    with pytest.raises(UnsupportedModelError, match="beyond 2048 tokens"):
        rope_tables(rope.rope, 4096)


def test_memory_is_checked_before_anything_is_loaded(checkpoint, load_model, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 20)
    told = []
    with pytest.raises(NotEnoughMemoryError, match=r"needs .* GiB .* GiB are free") as caught:
        load_model(
            checkpoint("llama").folder,
            paged_attention_config=PagedAttentionConfig(32, 100_000),
            progress=lambda phase, _: told.append(phase),
        )
    assert "max_num_blocks" in caught.value.fix
    assert "loading weights" not in told


def test_available_memory_is_found_on_linux(tmp_path, monkeypatch):
    info = tmp_path / "meminfo"
    info.write_text("MemTotal: 100 kB\nMemAvailable: 64 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", info)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.available_bytes() == 64 * 1024
    for name, text in {
        "max": "50000",
        "current": "30000",
        "stat": "anon 1\ninactive_file 4000",
    }.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory.available_bytes() == 24000
    (tmp_path / "memory.max").write_text("max")
    assert memory.available_bytes() == 64 * 1024
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "absent")
    assert memory.available_bytes() is None


def test_a_closed_mesh_is_refused():
    mesh = ttnn.open_mesh_device(ttnn.MeshShape(1, 1))
    ttnn.close_mesh_device(mesh)
    with pytest.raises(RuntimeError, match="mesh device is closed"):
        create_tt_model(mesh, True, 1, None, 128)


def test_the_cpu_is_a_mesh_of_one_device():
    mesh = ttnn.open_mesh_device(mesh_shape=ttnn.MeshShape(1, 1), trace_region_size=1, offset=None)
    assert (mesh.get_num_devices(), mesh.get_device_ids(), mesh.arch()) == (1, [0], "cpu")
    assert tuple(mesh.shape) == (1, 1)
    assert ttnn.get_num_devices() == 1
    with pytest.raises(RuntimeError, match=r"MeshShape\(\[1, 8\]\) requires 8 devices, but only 1"):
        ttnn.open_mesh_device(ttnn.MeshShape(1, 8))


def test_configs_in_the_old_layout_mean_the_same():
    """`rope_theta` and `rope_scaling` at the top level, as transformers 4 wrote them."""
    old = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 2,
        "intermediate_size": 96,
        "vocab_size": 320,
        "max_position_embeddings": 2048,
        "rope_theta": 500000.0,
        "rope_scaling": {
            "type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 256,
        },
    }
    scaling = dict(old["rope_scaling"], rope_type="llama3", rope_theta=500000.0)
    new = {key: it for key, it in old.items() if not key.startswith("rope")}
    assert parse_config(old) == parse_config({**new, "rope_parameters": scaling})
    su = {**old, "model_type": "phi3", "rope_scaling": {"type": "su", "short_factor": [1.0] * 8}}
    assert parse_config(su).rope.kind == "longrope"


def test_texts_longer_than_the_model_can_read_are_refused_with_the_length_to_set(
    folder, load_model
):
    edit_config(folder, max_position_embeddings=700)
    with pytest.raises(ContextTooLongError) as refused:
        load_model(folder, max_seq_len=1024)
    assert "reads at most 700 tokens" in refused.value.what
    assert refused.value.fix == "Set MAX_SEQ_LEN in the script to 512."


def test_small_models_compute_on_one_thread_and_large_ones_on_all(monkeypatch):
    monkeypatch.undo()  # the other tests here are spared this
    assert threads.choose_threads(14 << 20, available=8) == 1
    assert threads.choose_threads(500 << 20, available=8) == 8
