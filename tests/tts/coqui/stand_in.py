"""A package with the names of coqui-tts that the process of a model uses, and a tiny voice.

It speaks one tone per letter, as high as the letter, so that a test hears what was asked for.
"""

import json
from pathlib import Path

PACKAGES = ("torch", "torchaudio", "torchcodec", "six")

TORCH = """
seeds = []
def manual_seed(seed):
    seeds.append(seed)
"""

_TINY = {"license": "MIT", "github_rls_url": "http://x.invalid", "default_vocoder": None}
_XTTS = {"license": "CPML", "tos_required": True, "repo_id": "x/x", "default_vocoder": None}
LIST = {
    "tts_models": {
        "en": {"tiny": {"vits": _TINY}},
        "multilingual": {"multi-dataset": {"xtts_v2": _XTTS}},
    }
}

MANAGE = """
import json, os
from pathlib import Path
import TTS

class ModelManager:
    def __init__(self, progress_bar=False):
        self.output_prefix = Path(os.environ["TTS_HOME"])
        self.models_dict = json.loads((Path(TTS.__file__).parent / ".models.json").read_text())

    @staticmethod
    def ask_tos(path):
        return input("agree? [y/n]") == "y"

    def download_model(self, name):
        folder = self.output_prefix / name.replace("/", "--")
        needs_terms = "xtts" in name and os.environ.get("COQUI_TOS_AGREED") != "1"
        if needs_terms and not self.ask_tos(folder):
            raise RuntimeError("no terms")
        if not folder.is_dir():
            if os.environ.get("HF_HUB_OFFLINE") == "1":
                raise OSError("offline")
            folder.mkdir(parents=True)
            (folder / "model.pth").write_text("{}")
            (folder / "config.json").write_text("{}")
        return folder / "model.pth", folder / "config.json", {}
"""

WRAPPER = """
class ESpeak:
    @classmethod
    def is_available(cls):
        return True
"""

SYNTHESIZER = """
import json, os, time
from pathlib import Path
import numpy as np

RATE_HZ = 16000

class Manager:
    def __init__(self, names, encoder=None):
        self.speaker_names = self.language_names = names
        self.encoder = encoder

class Config(dict):
    @property
    def supports_cloning(self):
        return bool(self.get("clones"))
    @property
    def audio(self):
        return {"hop_length": 100}

class Outputs:
    def __init__(self, values):
        self._values = values
    def flatten(self):
        return self
    def tolist(self):
        return list(self._values)

class Characters:
    pad, blank, bos, eos = "_", "#", "^", "$"
    def id_to_char(self, number):
        return chr(number)

class Tokenizer:
    characters = Characters()

class Model:
    def __init__(self, config):
        self.config = Config(config)
        self.tokenizer = Tokenizer()
        if config.get("speakers"):
            self.speaker_manager = Manager(config["speakers"])
        if config.get("languages"):
            self.language_manager = Manager(config["languages"])
        if not config.get("no_pace"):
            self.length_scale = 2.0
        self.calls = []

    def clone_voice(self, recordings, **settings):
        Path(self.config["log"]).open("a").write("clone\\n")
        for each in recordings:
            if Path(each).read_bytes()[:4] != b"RIFF":
                raise ValueError("no sound file")
        return {"pitch": len(recordings)}

    def synthesize(self, text, *, speaker=None, language=None, speaker_wav=None,
                   use_griffin_lim=False, **more):
        if "crash" in text:
            os.abort()
        if "fault" in text:
            raise ValueError("a fault with this text")
        if "hang" in text:
            time.sleep(600)
        factor = 1.0
        if speaker_wav is not None:
            factor = 4.0 * self.clone_voice(speaker_wav, speaker, None, quality=1)["pitch"]
        elif speaker is not None:
            factor = 1.0 + self.config["speakers"].index(speaker)
        if language is not None:
            factor *= 1.0 + 0.1 * self.config["languages"].index(language)
        letters = [each for each in text.lower() if each.isalnum()]
        frames = round(16 * getattr(self, "length_scale", 2.0) / 2)
        times = np.arange(100 * frames) / RATE_HZ
        tones = [np.sin(2 * np.pi * factor * 10 * (ord(each) - 67) * times) for each in letters]
        wav = np.concatenate([*tones, np.zeros(0)]).astype(np.float32) * 0.3
        if "long" in text:
            wav = np.tile(wav, 1000)
        if "nan" in text:
            wav[0] = np.nan
        ids = [ord(mark) for each in letters for mark in (each, "#")]
        counts = [count for _ in letters for count in (frames, 0)]
        outputs = {"durations": Outputs(counts)}
        return {"wav": wav, "text_inputs": Outputs(ids), "outputs": outputs}

class Synthesizer:
    vocoder_model = None
    def __init__(self, *, tts_checkpoint, tts_config_path, use_cuda=False, **paths):
        print("noise on the standard output")
        config = json.loads(Path(tts_config_path).read_text())
        if config.get("broken"):
            raise RuntimeError("the checkpoint is damaged")
        self.output_sample_rate = RATE_HZ
        self.tts_model = Model(config)
        self.paths = paths
"""


def write_stand_in(folder: Path) -> Path:
    """Write the packages into a folder, which is then put on the path of modules; return it."""
    files = {
        "TTS/__init__.py": "",
        "TTS/utils/__init__.py": "",
        "TTS/utils/manage.py": MANAGE,
        "TTS/utils/synthesizer.py": SYNTHESIZER,
        "TTS/tts/__init__.py": "",
        "TTS/tts/utils/__init__.py": "",
        "TTS/tts/utils/text/__init__.py": "",
        "TTS/tts/utils/text/phonemizers/__init__.py": "",
        "TTS/tts/utils/text/phonemizers/espeak_wrapper.py": WRAPPER,
        "TTS/.models.json": json.dumps(LIST),
        **{f"{name}.py": TORCH if name == "torch" else "" for name in PACKAGES},
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder
