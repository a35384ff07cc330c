"""Put the files of the chosen family in their places, and remove those of the others."""

import shutil
from pathlib import Path

chosen = Path("families", "{{ cookiecutter.family }}")
for part, place in (("package", "{{ cookiecutter.module }}"), ("tests", "tests")):
    for file in sorted((chosen / part).iterdir()):
        shutil.move(file, Path(place, file.name))
shutil.move(chosen / "example.py", "example.py")
with Path("README.md").open("a") as readme:
    readme.write((chosen / "README.md").read_text())
shutil.rmtree("families")

print(
    "{{ cookiecutter.distribution }} is there. Go on with:\n"
    "  cd {{ cookiecutter.distribution }}\n"
    "  uv run ruff format .\n"
    "  uv run pytest\n"
    "  uv run python example.py\n"
    "Your idea goes where {{ cookiecutter.module }}/{{ cookiecutter.family }}.py says YOUR IDEA."
)
