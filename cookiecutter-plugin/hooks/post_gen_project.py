"""Move the files of the chosen family into the package, and remove the files of the other families."""

import shutil
from pathlib import Path

chosen = Path("families", "{{ cookiecutter.family }}")
for part, folder in (("package", "{{ cookiecutter.module }}"), ("tests", "tests")):
    for file in sorted((chosen / part).iterdir()):
        shutil.move(file, Path(folder, file.name))
shutil.move(chosen / "example.py", "example.py")
with Path("README.md").open("a") as readme:
    readme.write((chosen / "README.md").read_text())
shutil.rmtree("families")

print(
    "{{ cookiecutter.distribution }} has been generated. Next steps:\n"
    "  cd {{ cookiecutter.distribution }}\n"
    "  uv run ruff format .\n"
    "  uv run pytest\n"
    "  uv run python example.py\n"
    "Write your code in {{ cookiecutter.module }}/{{ cookiecutter.family }}.py, at the comment YOUR IDEA."
)
