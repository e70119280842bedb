# cxrepro from the command line: `make` lists the targets. Needs git, make and a Python 3 on the machine.
# Works in a folder whose path contains a space; VENV=/absolute/path uses another environment.

UV_VERSION  := 0.13.8
PYTHON_MINOR := 3.11
SPACE_GB    := 12
VENV        ?= $(CURDIR)/.venv
OFFLINE     := $(if $(WHEELS),--no-index --find-links "$(WHEELS)")
PYTHON      := "$(VENV)/bin/python"

export PATH := $(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1

.DEFAULT_GOAL := help
.PHONY: help setup repro test check lint study tune final record assignments data keep key bench-setup bench-data bench-search bench-prune bench-latency bench-distill bench-train bench-parallel bench-predict bench-serving speed latency-table review experiments tensorboard verify doctor flow serve worker proof proof-sample lock wheels sbom clean

help: ## print each target with one line
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1  /p' Makefile | awk '{name=$$1; $$1=""; printf "make %-13s%s\n", name, $$0}'

# The stamp holds the hash of the lock file that the environment was made from. The space is asked
# for before anything is downloaded: the wheels with CUDA take 6 GB, unpacked beside uv's cache.
# Byte code is made at once: where Python may not write it (containers) each start would compile anew.
setup: ## make .venv with exactly the versions of requirements.lock
	@want=$$(git hash-object requirements.lock); \
	if [ "$$(cat "$(VENV)/.stamp" 2>/dev/null)" = "$$want" ]; then exit 0; fi; \
	free_kb=$$(df -Pk . | awk 'NR == 2 {print $$4}'); \
	if [ "$$free_kb" -lt $$(($(SPACE_GB) * 1024 * 1024)) ]; then \
	  echo "setup needs $(SPACE_GB) GB of free disk here, $$((free_kb / 1024 / 1024)) GB are free: free some and run again" >&2; exit 1; fi; \
	set -e; \
	if [ ! -x .bootstrap/bin/uv ] || ! .bootstrap/bin/uv --version 2>/dev/null | grep -q " $(UV_VERSION)"; then \
	  echo "setup: fetching uv $(UV_VERSION)"; \
	  python3 -m venv --clear .bootstrap || { echo "setup: python3 -m venv failed: install your system's python3-venv" >&2; exit 1; }; \
	  .bootstrap/bin/python -m pip install --quiet --disable-pip-version-check $(OFFLINE) "uv==$(UV_VERSION)"; fi; \
	echo "setup: installing requirements.lock with Python $(PYTHON_MINOR)"; \
	if ! "$(VENV)/bin/python" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(PYTHON_MINOR)")' 2>/dev/null; then \
	  .bootstrap/bin/uv venv --quiet --clear --python $(PYTHON_MINOR) "$(VENV)"; fi; \
	.bootstrap/bin/uv pip sync --quiet $(OFFLINE) --compile-bytecode --python "$(VENV)/bin/python" --require-hashes requirements.lock; \
	echo "$$want" > "$(VENV)/.stamp"

repro: setup ## run what is out of date, up to reports/index.html, or only up to TARGET=<stage>
	@$(PYTHON) -m stages --check
	@$(PYTHON) -m flows.pipeline $(if $(TARGET),"$(TARGET)")

test: setup ## run the tests, or ONLY=<pytest's words>; SLOW=1 adds those that take minutes, CXR_REAL_DATA=<folder> those on real data
	@$(PYTHON) -m pytest $(ONLY) $(if $(SLOW),--ignore=tests/proof,-m "not slow")

check: lint ## format, lint, types, import floors, fast tests
	@$(PYTHON) -m pytest -q -m "not slow"

lint: setup ## format, lint, types, import floors
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

study: setup ## STUDY=<name>: write params.yaml from studies/<name>/study.yaml
	@$(PYTHON) -m flows.study $(call need,STUDY)

tune: setup ## run everything but what scores test images, and print what val said of each network
	@$(PYTHON) -m stages --check
	@$(PYTHON) -m flows.tune

final: setup ## run the committed study whole and note in reports/test_openings.csv that its test images were scored
	@$(PYTHON) -m stages --check
	@$(PYTHON) -m flows.final

record: setup ## STUDY=<name>: keep lock file, numbers and commit of the finished study in its folder
	@$(PYTHON) -m flows.record $(call need,STUDY)

data: setup ## DATASET=<name> FROM=<folder>: check a downloaded data set and bring it into data/raw
	@$(PYTHON) -m flows.data $(call need,DATASET) $(call need,FROM)

keep: setup ## MODEL=<model> AS=<name> [FOLD=0]: keep a network's weights for another study, and print its recipe
	@$(PYTHON) -m flows.keep $(call need,MODEL) $(call need,AS) $(if $(FOLD),--fold "$(FOLD)")

assignments: setup ## STUDY=<name>: keep the split in studies/<name>/assignments.csv, so that later data move no image
	@$(PYTHON) -m flows.assignments $(call need,STUDY)

key: setup ## make the key that hides the patients of DICOM files; keep it, it belongs to the results
	@$(PYTHON) -m flows.key

# What is measured against is installed beside the environment, which stays as it is.
bench-setup: setup ## install what we are measured against into .bench: OpenVINO, torchxrayvision
	@want=$$(git hash-object requirements-bench.lock); \
	if [ "$$(cat .bench/.stamp 2>/dev/null)" != "$$want" ]; then set -e; \
	  rm -rf .bench; echo "bench-setup: installing requirements-bench.lock into .bench"; \
	  .bootstrap/bin/uv pip install --quiet --python "$(VENV)/bin/python" --target .bench --no-deps --require-hashes -r requirements-bench.lock; \
	  echo "$$want" > .bench/.stamp; fi

bench-data: bench-setup ## how fast images are read, beside OpenCV, torchvision and torchxrayvision; 5 minutes
	@$(PYTHON) -m tests.bench.data

bench-search: setup ## evolution against random search on real data (CXR_REAL_DATA), seed by seed; stops before 150 minutes and goes on
	@$(PYTHON) -m tests.bench.search

bench-prune: setup ## evolved cuts beside eight others at equal MACs on real data (CXR_REAL_DATA), seed by seed; stops before 150 minutes and goes on
	@$(PYTHON) -m tests.bench.prune

bench-latency: setup ## MobileNetV2 and ResNet-18 at 30 % of their MACs beside their parents at 224 px, and within one core and 512 MB; 2 minutes
	@$(PYTHON) -m tests.bench.latency

bench-distill: setup ## what a teacher is worth to a small student on real data (CXR_REAL_DATA), three seeds; goes on where it ended
	@$(PYTHON) -m tests.bench.distill

bench-train: setup ## how fast we train, beside the barest loop and beside decoding in every epoch; 13 minutes
	@$(PYTHON) -m tests.bench.train

bench-parallel: setup ## [TIMES=<n>] [FLOWS=<n>]: whole runs of the study by DVC alone and by the flow, in turn, then by the flow; 5 to 9 minutes a run
	@$(PYTHON) -m tests.bench.parallel $(if $(TIMES),--times "$(TIMES)") $(if $(FLOWS),--flows "$(FLOWS)")

bench-predict: bench-setup ## from X-ray files to answers, beside eager PyTorch and torchxrayvision; equal inputs and outputs; 5 minutes
	@$(PYTHON) -m tests.bench.predict

bench-serving: setup ## MODEL=<folder>: `cxr serve` under load, 10,000 requests
	@$(PYTHON) -m tests.bench.serving $(call need,MODEL)

speed: setup ## [MODELS="<parent> <model> …"] [SIZE=<px>]: latency, memory and size of exported models, in reports/host/
	@$(PYTHON) -m cxr.speed $(MODELS) $(if $(SIZE),--size-px "$(SIZE)")

latency-table: setup ## NETWORK=<model> AS=<name>: measure how long its layers take, for a search that prunes by it
	@$(PYTHON) -m cxr.speed.table --network data/models/$(call need,NETWORK) --out data/raw/latency/$(call need,AS).json

review: setup ## BASE=<rev> [HEAD=<rev>]: what a change does, on two pages in reports/host/review
	@$(PYTHON) -m flows.review $(call need,BASE) $(if $(HEAD),--head "$(HEAD)")

experiments: setup ## [REVS="<rev> …"]: DVC's table of experiments, or of these: AUROC and accuracy of each model, and the parameters that differ
	@$(PYTHON) -m dvc exp show --only-changed --hide-workspace $(foreach rev,$(REVS),--rev "$(rev)") \
	  --drop '^(cxr|stages|data|numerics\.lock|reports/(?!.*:)|.*:(balanced_accuracy|macro_f1|macs|parameters)$$)'

tensorboard: setup ## [PORT=<n>]: recorded curves, confusion matrices and recipes in TensorBoard, until Ctrl-C
	@$(PYTHON) -m cxr.tensorboard $(if $(PORT),--port "$(PORT)")

verify: setup ## [REV=<commit>] [STUDY=<name>]: run it again in a clean clone and compare every byte
	@$(PYTHON) -m flows.verify $(if $(REV),--rev "$(REV)") $(if $(STUDY),--study "$(STUDY)")

doctor: setup ## is this machine in the byte-identical class?
	@$(PYTHON) -m cxr.doctor

flow: setup ## run the pipeline as a Prefect flow, stage by stage
	@$(PYTHON) -m flows.reproduce

serve: setup ## [PORT=<n>] [WORKERS=<n>]: Prefect's server, workers and deployments on this machine until Ctrl-C
	@$(PYTHON) -m flows.serve $(if $(PORT),--port "$(PORT)") $(if $(WORKERS),--workers "$(WORKERS)")

worker: setup ## [QUEUE=gpu]: one more worker for the server of make serve, here or on another machine
	@$(PYTHON) -m flows.worker $(if $(QUEUE),--queue "$(QUEUE)")

proof: setup ## the long proofs; after `make repro`. Rows in reports/proof; hours, each sitting of a part ends before 150 minutes and the next goes on
	@$(PYTHON) -m tests.proof.processors
	@$(PYTHON) -m tests.proof.trace
	@$(PYTHON) -m tests.proof.doubles
	@$(PYTHON) -m tests.proof.kills
	@$(PYTHON) -m tests.proof.combinations
	@$(PYTHON) -m tests.proof.summary
	@$(PYTHON) -m pytest tests/proof -m slow -v

proof-sample: setup ## a quarter of an hour of them, drawn by the code's digits; after `make repro`; rows in reports/host/proof
	@$(PYTHON) -m tests.proof.doubles --minutes 3 --out reports/host/proof
	@$(PYTHON) -m tests.proof.kills --minutes 2 --out reports/host/proof
	@$(PYTHON) -m tests.proof.combinations --count 2 --fresh --out reports/host/proof
	@$(PYTHON) -m pytest tests/proof/test_controls.py tests/proof/test_opened.py tests/proof/test_draws.py

lock: setup ## resolve requirements.in, requirements-dev.in and requirements-bench.in again
	@.bootstrap/bin/uv pip compile requirements.in requirements-dev.in --universal --python-version $(PYTHON_MINOR) \
	  --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	@.bootstrap/bin/uv pip compile requirements-bench.in --no-deps --constraint requirements.lock --universal --python-version $(PYTHON_MINOR) \
	  --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-bench.lock
	@$(PYTHON) -m flows.lock

# The one package that comes as source is built at set-up: what builds it, and uv, go along.
wheels: setup ## TO=<folder>: keep all that requirements.lock names; `make setup WHEELS=<folder>` asks no index then
	@.bootstrap/bin/python -m pip --python $(PYTHON) download --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --requirement requirements.lock --dest $(call need,TO)
	@.bootstrap/bin/python -m pip --python $(PYTHON) download --quiet --disable-pip-version-check --no-deps --dest $(call need,TO) \
	  "uv==$(UV_VERSION)" setuptools wheel
	@echo "$$(ls $(call need,TO) | wc -l) files, $$(du -sh $(call need,TO) | cut -f 1): $(TO)"

sbom: setup ## list what is installed, with versions and licences, in reports/host/sbom.json (CycloneDX)
	@mkdir -p reports/host
	@$(PYTHON) -m cyclonedx_py environment $(PYTHON) --output-reproducible --of JSON -o reports/host/sbom.json
	@echo "reports/host/sbom.json"

clean: ## remove what tools leave behind; data, models and reports stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dvc_plots reports/host data/.scratch
	@find . -path ./.venv -prune -o -path ./.bootstrap -prune -o -name __pycache__ -type d -exec rm -rf {} +
	@find data reports -name '.*.partial' -exec rm -rf {} + 2>/dev/null || true

# $(call need,NAME): the value of NAME in quotes, or an end with a word on what is missing
need = $(if $($(1)),"$($(1))",$(error $(1)=<...> is missing: try `make help`))
