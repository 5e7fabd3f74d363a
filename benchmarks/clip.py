"""What CLIP-ES and NACLIP take for a photo of VOC's size with two tags, with random weights, which cost what others do.

python -m benchmarks.clip CLIPES|NACLIP
"""

import sys
import tempfile
import time
from pathlib import Path

import torch

from acr_lightning.methods.clipes.inference import CLIPES, NACLIP, Words
from benchmarks.probe import forget_peak, megabytes

PHOTOS, SIZE = 3, (375, 500)


def main(kind: str) -> None:
    """Print the processor time of a photo, on one thread, and the peak memory of the process."""
    import open_clip

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        words = Words(str(Path(folder) / "random.pth"))
        torch.save(open_clip.create_model(words.architecture, load_weights=False).state_dict(), words.weights)
        method = {"CLIPES": CLIPES, "NACLIP": NACLIP}[kind](words)
    method.read_words([*words.called])
    sample = {"id": "photo", "image": torch.rand(3, *SIZE), "tags": torch.tensor([1.0, 0, 1, 0])}
    forget_peak()
    since = time.process_time()
    for _ in range(PHOTOS):
        method.predict_step([sample], 0)
    seconds = (time.process_time() - since) / PHOTOS
    print(f"{kind}: {seconds:.1f} s of one core, {megabytes('VmHWM') / 1024:.1f} GiB")


if __name__ == "__main__":
    main(sys.argv[1])
