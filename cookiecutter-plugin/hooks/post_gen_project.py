"""Put the files of the chosen family in their places, and remove those of the others."""

import shutil
from pathlib import Path

chosen = Path("families", "{{ cookiecutter.family }}")
for part, place in (("package", "{{ cookiecutter.module }}"), ("tests", "tests")):
    for file in sorted((chosen / part).iterdir()):
        shutil.move(file, Path(place, file.name))
with Path("README.md").open("a") as readme:
    readme.write((chosen / "README.md").read_text())
shutil.rmtree("families")

print("{{ cookiecutter.distribution }} is there. Go on with:")
print("  cd {{ cookiecutter.distribution }} && uv run pytest")
print("Your idea goes where {{ cookiecutter.module }} says YOUR IDEA.")
