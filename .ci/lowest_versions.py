"""Print the lowest versions that setup.cfg allows, as constraints for pip."""

import configparser
import re
from pathlib import Path

config = configparser.ConfigParser()
config.read(Path(__file__).parents[1] / "setup.cfg")
for requirement in config["options"]["install_requires"].split("\n"):
    if bound := re.match(r"([\w-]+)(?:\[\w+\])?[>=]=([\d.]+)", requirement):
        print(f"{bound[1]}=={bound[2]}")
