# Two commands do everything: `make demo` and `make test`.

PYTHON ?= python3
OLDEST_PYTHON ?= python3.11
WORKERS ?= 2
BIN = .venv/bin
PARALLEL = -n $(WORKERS) --dist loadgroup
# With more threads than cores, the workers would wait for each other.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/pytest $(PARALLEL)

.PHONY: demo test coverage quick check docs oldest gallery fuzz hostile clean

demo: .venv/ready
	$(BIN)/python examples/demo.py

test: check
	$(PYTEST)

# The tests again, and which lines they do not reach.
coverage: .venv/ready
	$(PYTEST) --cov

# What takes about a minute: every check, and the tests that are not marked as slow.
quick: check
	$(PYTEST) -m "not slow" tests

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The tests with the oldest versions of torch, torchvision, click and numpy that lucid supports.
oldest: .venv-oldest/ready
	.venv-oldest/bin/pytest $(PARALLEL)

# Every picture of docs/gallery.md, made again from its recipe: eleven minutes on two cores.
gallery: .venv/ready
	$(BIN)/python examples/bases/make_bases.py docs/gallery/bases
	$(BIN)/python examples/gallery.py

# Fuzzes everything that lucid reads, for more than an hour; `make fuzz TARGETS="cfg warps"` some of it.
fuzz: .venv/ready
	$(BIN)/pip install --quiet --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/fuzz.py $(TARGETS)

# The quick tests on an odd machine: few open files, no UTF-8, no home or one that cannot be written to,
# a TMPDIR that is missing, and a path of blanks, line feeds, emoji and broken text.
hostile: .venv/ready
	tests/hostile.sh

# Installs once, and again when the project's needs change.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

.venv/docs: .venv/ready
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

# Several gigabytes: the CUDA libraries of an older torch are among them.
.venv-oldest/ready: pyproject.toml .ci/oldest.txt
	$(OLDEST_PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --constraint .ci/oldest.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv .venv-oldest
