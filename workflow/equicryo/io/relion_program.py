"""RELION's own programs, run as an outside check of ours."""

import shutil
import subprocess
from pathlib import Path

from equicryo.errors import InputError
from equicryo.io.maps import DensityMap, read_map

SAID = 5
"""Lines of a failed program's output that are shown."""


def run_relion(program: str, *arguments: str, folder: str | Path = ".") -> None:
    """Run one of RELION's programs.

    Args:
        program: e.g. ``relion_reconstruct``.
        arguments: of its command line.
        folder: to start it in, which paths in STAR files are relative to.

    Raises:
        InputError: it is not installed, or fails.
    """
    if shutil.which(program) is None:
        raise InputError(
            f"{program} is not on the PATH: install RELION (Debian: apt-get install "
            "relion), or empty `relion_maps` in the config"
        )
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-SAID:]
        raise InputError(
            f"{program} {' '.join(arguments)} failed with {done.returncode}:\n"
            + "\n".join(said)
        )


def reconstruct_by_relion(
    star: str | Path, path: str | Path, pixel_size: float, folder: str | Path = "."
) -> DensityMap:
    """Reconstruct a map from particles with ``relion_reconstruct --ctf``.

    Args:
        star: the particles.
        path: where the map shall be written, an .mrc file.
        pixel_size: Å.
        folder: that image paths in `star` are relative to; so are `star` and `path`.

    Returns:
        The map on the images' box.

    Raises:
        InputError: RELION is not installed, or fails.

    Source: Scheres 2012, doi:10.1016/j.jsb.2012.09.006.
    """
    run_relion(
        "relion_reconstruct",
        *("--i", str(star), "--o", str(path), "--angpix", f"{pixel_size:g}", "--ctf"),
        folder=folder,
    )
    return read_map(Path(folder) / path)
