# Two commands do everything: `make demo` and `make test`.

PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test docs gallery clean

demo: .venv/ready
	$(BIN)/python examples/demo.py

test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Every picture of docs/gallery.md, made again from its recipe: eleven minutes on two cores.
gallery: .venv/ready
	$(BIN)/python examples/bases/make_bases.py docs/gallery/bases
	$(BIN)/python examples/gallery.py

# Installs once, and again when the project's needs change.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

.venv/docs: .venv/ready
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

clean:
	rm -rf .venv
