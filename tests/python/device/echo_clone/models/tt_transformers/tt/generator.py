"""What the script takes from tt-metal's `generator.py`: answers that repeat the question.

ECHO_ERA chooses between the shapes of 2026, C and D. Nothing is computed on the device, because
mock chips cannot; but each model has a trace on it, recorded by ttnn, which the Generator releases
when it is dropped, as tt-metal's does. That fails on a device that is closed already.
"""

import os
import threading

import torch
import ttnn

from byte_tokenizer import ByteTokenizer
from era_signatures import EraC, EraD

Era = {"C": EraC, "D": EraD}[os.environ.get("ECHO_ERA", "D")]


class Generator(Era):
    def __init__(self, model, model_args, mesh_device, processor=None, tokenizer=None):
        self.model, self.model_args = model, model_args
        self._tokenizer: ByteTokenizer = tokenizer
        self._answers = {}
        self._traces = []

    def _prefill(self, call):
        assert threading.current_thread().name == "engine"
        (slot,), (length,) = call.empty_slots, call.prompt_lens
        prompt = self._tokenizer.last_user_message(call.tokens[0, :length].tolist())
        answer = [*prompt.encode(), self._tokenizer.eos_token_id]
        self._answers[slot] = (length, answer)
        return self._likely([answer[0]])

    def _decode(self, call):
        assert threading.current_thread().name == "engine"
        if call.enable_trace and not self._traces:
            self._traces = [(it.mesh_device, _record(it.mesh_device)) for it in self.model]
        rows = enumerate(call.start_pos.tolist())
        return self._likely([self._next(row, position) for row, position in rows]), None

    def _next(self, row, position):
        length, answer = self._answers.get(row, (0, [0]))
        said = position - length + 1
        return answer[said] if 0 <= said < len(answer) else 0

    def _likely(self, tokens):
        logits = torch.zeros((len(tokens), 1, self._tokenizer.vocab_size))
        for row, token in enumerate(tokens):
            logits[row, 0, token] = 9.0
        return logits

    def __del__(self):
        for mesh_device, trace in self._traces:
            ttnn.release_trace(mesh_device, trace)
            print("released the trace", flush=True)
            if len(self.model) > 1:
                ttnn.close_mesh_device(mesh_device)


def _record(mesh_device):
    trace = ttnn.begin_trace_capture(mesh_device, cq_id=0)
    ttnn.end_trace_capture(mesh_device, trace, cq_id=0)
    return trace
