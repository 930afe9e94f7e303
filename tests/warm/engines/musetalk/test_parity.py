"""The engine's stages against tensors of the reference implementation."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.neural.golden import Golden
from bench.neural.parity import compare, generator_stages, relative
from warm.engines.musetalk.audio_windows import audio_tokens, positional_encoding
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.pipeline import open_pipeline

pytestmark = pytest.mark.slow

SHORTENED_FRAMES = 8
"""Video frames of the shortened copy."""


def test_every_stage_is_within_its_bound(golden: Path, golden_weights: Path) -> None:
    options = MuseTalkOptions(models_dir=golden_weights, device="cpu", precision="fp32")
    stages = list(compare(Golden.read(golden), options))
    assert [stage for stage in stages if not stage.holds] == []
    strict = {stage.name: stage.bound for stage in stages if stage.unit == "relative"}
    assert max(bound for name, bound in strict.items()) <= 2e-5
    assert len(stages) > 40


def test_another_folder_is_compared_and_its_differences_are_named(
    golden: Path, golden_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches a comparison that is tied to the shared folder, or that passes everything.

    Pictures of another decoder are not judged, and the output says so.
    """
    folder = shortened(golden, tmp_path / "golden")
    order = ["parity", "--golden", str(folder), "--models", str(golden_weights)]
    status = main([*order, "--decoder", "half"])
    output = capsys.readouterr()
    assert status == 1
    assert output.err.strip() == "FAILED: windows, 25 fps, 0.5 s, UNet output, mask 0"
    assert output.out.count("!") == 3
    (line,) = (line for line in output.out.splitlines() if "decoded pictures" in line)
    assert "not compared" in line and "decoder = 'half': pictures differ" in line


def shortened(golden: Path, folder: Path) -> Path:
    """A copy with fewer video frames and three wrong values."""
    shutil.copytree(golden, folder)
    facts: dict[str, Any] = json.loads((folder / "golden.json").read_bytes())
    facts.update(T=SHORTENED_FRAMES, batch_size=3)
    facts["window_index"]["25_0.5"]["sum"] += 1
    (folder / "golden.json").write_text(json.dumps(facts))
    arrays: dict[str, Any] = {}
    for path in sorted(folder.glob("*.npz")):
        arrays.update(np.load(path))
        path.unlink()
    arrays.update(
        sel=arrays["sel"][:1],
        chunks_sel=arrays["chunks_sel"][:1],
        pe_sel=arrays["pe_sel"][:1],
        unet_out=arrays["unet_out"][:SHORTENED_FRAMES] * 1.0001,
        dec_sel=arrays["dec_sel"][:1],
        decoded_bgr=arrays["decoded_bgr"][:1],
        dec_mean_bgr=arrays["dec_mean_bgr"][:SHORTENED_FRAMES],
    )
    del arrays["blend_30"]
    arrays["mask0"][0, 0] ^= 1
    np.savez(folder / "golden_all.npz", **arrays)
    return folder


def test_missing_golden_data_has_an_exit_status_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", "--golden", str(tmp_path), "--models", str(tmp_path)]) == 2
    assert "golden.json" in capsys.readouterr().err


def test_a_difference_of_nan_exceeds_its_bound() -> None:
    expected = np.ones(3, np.float32)
    assert not relative("", np.full(3, np.nan, np.float32), expected).holds
    assert not relative("", np.ones(2, np.float32), expected).holds


def test_without_the_savings_the_networks_match_the_reference_too(
    golden: Path, golden_weights: Path
) -> None:
    expected = Golden.read(golden)
    options = MuseTalkOptions(
        models_dir=golden_weights, device="cpu", precision="fp32", exact_savings=False
    )
    pipeline = open_pipeline(options.layout(), options)
    hidden = pipeline.audio_encoder.encode_speech(expected.sound)
    tokens = audio_tokens(hidden, frames=int(expected.facts["T"]), fps=int(expected.facts["fps"]))
    stages = list(
        generator_stages(expected, pipeline, tokens + positional_encoding(*tokens.shape[1:]))
    )
    assert len(stages) >= 3
    assert [stage for stage in stages if not stage.holds] == []
