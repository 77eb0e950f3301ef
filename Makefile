# Two commands, each doing all of its own set-up with nothing but Python 3.11 or newer and make:
#   make segment IMAGES="your/folder"   segment your images (without IMAGES: the examples)
#   make test                           install what the tests need, and pass them

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; \
	done)
IMAGES ?= examples/*.tif
OUT ?= $(if $(filter examples/*.tif,$(IMAGES)),out/examples,out)
OPTIONS ?= --overwrite

SOURCES := pyproject.toml README.md $(shell find src -type f -not -name '*.pyc')

.PHONY: segment test clean
.DELETE_ON_ERROR:

segment: .venv/nital-installed
	@.venv/bin/nital segment $(IMAGES) --out $(OUT) $(OPTIONS)
	@echo
	@echo "Open $(OUT)/report.html in a browser: overlays, numbers with their intervals, sizes."
	@echo "Each image has a folder beside it: $(OUT)/<image>/overlay.png, labels.tif, objects.csv."

test: .venv-test/nital-installed
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy
	.venv-test/bin/pytest

clean:
	rm -rf .venv .venv-test build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# What Nital needs is installed again when pyproject.toml changes, Nital itself when a file does.

.venv/needs-installed: pyproject.toml
	$(call make_environment,.venv)
	.venv/bin/python -m pip install --quiet .
	@touch $@

.venv-test/needs-installed: pyproject.toml constraints.txt
	$(call make_environment,.venv-test)
	.venv-test/bin/python -m pip install --quiet -c constraints.txt ".[dev]"
	@touch $@

%/nital-installed: %/needs-installed $(SOURCES)
	@test ! -e $@ || $*/bin/python -m pip install --quiet --no-deps --force-reinstall .
	@touch $@

define make_environment
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Nital needs Python 3.11 or newer; install it, or name it:" \
			"make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setting up $(1), once; this takes a few minutes"
	"$(PYTHON)" -m venv $(1)
endef
