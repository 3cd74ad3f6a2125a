"""`eval --window --stride` is the perplexity of transformers' guide: windows that slide over the text."""

import numpy as np
import pytest
import torch
from conftest import ROOT, load, run
from transformers import AutoTokenizer

MODEL = ROOT / "deploy/demo/model"


def guide(model, tokens, window, stride):
    """As in "Perplexity of fixed-length models", of whole windows."""
    total, count, previous = 0.0, 0, 0
    for begin in range(0, len(tokens) - window + 1, stride):
        ids = torch.from_numpy(tokens[None, begin : begin + window].astype(np.int64))
        with torch.no_grad():
            scores = model(ids).logits[0, :-1].double()
        losses = torch.nn.functional.cross_entropy(scores, ids[0, 1:], reduction="none")
        # Of a window those that the one before has not predicted.
        new = losses[max(previous - begin - 1, 0) :]
        total, count = total + new.sum().item(), count + len(new)
        previous = begin + window
    return float(np.exp(total / count)), count


@pytest.mark.parametrize("window, stride", [(64, 64), (64, 16), (64, 63), (48, 1), (200, 100)])
def test_sliding_windows_are_those_of_the_guide(window, stride, tmp_path):
    text = tmp_path / "story.txt"
    text.write_text(" ".join(["The farmer sees a wolf.", "She eats the apples, he said."] * 20))
    tokens = np.array(AutoTokenizer.from_pretrained(MODEL)(text.read_text()).input_ids)
    expected, count = guide(load(MODEL, torch_dtype=torch.float32), tokens, window, stride)
    ours = run("eval", "--model", MODEL, "--data", text, "--window", window, "--stride", stride,
               "--compute", "f32")  # fmt: skip
    assert (ours["tokens"], ours["window"], ours["stride"]) == (count, window, stride)
    # f32 sums in another order.
    assert ours["perplexity"] == pytest.approx(expected, rel=1e-4)
