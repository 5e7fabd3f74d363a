# Each target makes the virtual environment first; `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ACR    := $(BIN)/acr
VOC6    = $(ACR) run --config voc6.yaml --dataset.root='$(VOC_ROOT)'
FIGURES = $(BIN)/python -m acr_lightning.report.figures
VOC_ROOT ?= data/VOC2012
CONFIG   ?= voc.yaml
# Of configs/plans: ablation, benchmark, benchmark_vit, chain, demo_seeds.
PLAN     ?= ablation
DATASET  = $(if $(filter demo_seeds benchmark_vit,$(PLAN)),,--dataset.root='$(VOC_ROOT)')
# Appended to `acr`: make voc-fit ARGS="--trainer.devices=4 --dataset.root=/data/VOC2012"
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help install demo docs test check format voc6 voc6-labels voc6-bound ablation benchmark estimate gpu-proof picture notebook torture

help:  ## Show this help
	@grep -hE '^[a-z0-9%-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  %-16s %s\n", $$1, $$2}'

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -e '.[dev]'
	touch $@

install: $(VENV)/installed  ## Make the virtual environment and install everything

# ACR and its control, each on a core, and a page of both; EXPERIMENT says what they are runs of.
define pair
@since=$$(date +%s); set -e; export OMP_NUM_THREADS=1; mkdir -p runs/$@; \
echo "the control runs at the same time, see runs/$@/control.log"; \
$(ACR) run $(EXPERIMENT) --run runs/$@/control --fit.model.strategy=baseline $(ARGS) > runs/$@/control.log 2>&1 & \
control=$$!; trap "kill $$control 2> /dev/null || true" EXIT; \
$(ACR) run $(EXPERIMENT) --run runs/$@/acr $(ARGS); \
wait $$control || { tail -n 5 runs/$@/control.log; exit 1; }; \
$(ACR) report runs/$@/acr runs/$@/control --output runs/$@/report.html; \
$(FIGURES) $@ --since $$since control_cam=runs/$@/control:cam acr_cam=runs/$@/acr:cam \
    control_label=runs/$@/control:label acr_label=runs/$@/acr:label \
    control_network=runs/$@/control:network acr_network=runs/$@/acr:network \
    --gain acr_cam-control_cam acr_label-control_label acr_network-control_network
endef

demo: EXPERIMENT = --config demo.yaml --stages fit,cam,label,segment,evaluate
demo: install  ## The whole chain on generated scenes, plain CAM and ACR; ends with runs/demo/report.html
	$(pair)

voc6: EXPERIMENT = --config voc6.yaml --dataset.root='$(VOC_ROOT)'
voc6: install  ## VOC-6, ACR and its control: make voc6 VOC_ROOT=/path/to/VOC2012
	$(pair)

voc6-labels: install  ## VOC-6, labels from one set of CAMs: CRF alone, PSA, IRN
	@since=$$(date +%s); set -e; \
	$(VOC6) --run runs/voc6/acr --stages fit,cam $(ARGS); \
	for preset in none psa irn; do \
	    spread=affinity_labels,affinity_train,affinity_walk,; [ $$preset != none ] || spread=; \
	    $(VOC6) --run runs/voc6/labels/$$preset --affinity=$$preset --from.fit=runs/voc6/acr --from.cam=runs/voc6/acr \
	        --stages $${spread}label,evaluate $(ARGS); \
	done; \
	$(ACR) report runs/voc6/labels/none runs/voc6/labels/psa runs/voc6/labels/irn --output runs/voc6/labels.html; \
	$(FIGURES) labels --since $$since cam=runs/voc6/labels/none:cam crf=runs/voc6/labels/none:label \
	    psa=runs/voc6/labels/psa:label irn=runs/voc6/labels/irn:label

voc6-bound: install  ## VOC-6, the network trained on pseudo-labels against the same one trained on the true masks
	@since=$$(date +%s); set -e; \
	$(VOC6) --run runs/voc6/acr $(ARGS); \
	$(ACR) run --config voc6_supervised.yaml --dataset.root='$(VOC_ROOT)' $(ARGS); \
	$(FIGURES) segment --since $$since labels=runs/voc6/acr:label pseudo=runs/voc6/acr:network \
	    supervised=runs/voc6/supervised:network

ablation: install  ## A plan of variants, three seeds: make ablation PLAN=chain VOC_ROOT=/path/to/VOC2012
	$(ACR) compare --config plans/$(PLAN).yaml $(DATASET) $(ARGS)

benchmark: PLAN = benchmark
benchmark: ablation  ## The methods with Lite0, three seeds, three data sets: make benchmark VOC_ROOT=/path/to/VOC2012

bench-%: install  ## Two ways in one run: bench-step (a training step), bench-vit (its attention), bench-labels, bench-scale
	$(BIN)/python -W ignore -m benchmarks.$* $(ARGS)

gpu-proof: install  ## Eight minutes of a GPU: what only a GPU can say; ARGS="--device=cpu" tries what a CPU can
	$(BIN)/python -W ignore -m benchmarks.gpu_proof $(ARGS)

estimate: install  ## GiB, TFLOP and hours of an experiment's trainings, without a GPU: make estimate CONFIG=voc.yaml
	@{ $(ACR) estimate --config $(CONFIG) $(ARGS); echo "status | $$?"; } | awk -F ' *[|] *' '$$1 == "status" { exit $$2 } \
	    { print } NR > 2 { print "figure estimate." $$2 "." $$4 ".gib " $$5; \
	    print "figure estimate." $$2 "." $$4 ".tflop " $$7 }'

voc-%: install  ## One stage of voc.yaml: voc-fit, voc-cam, voc-label, voc-segment, voc-evaluate, voc-report
	$(ACR) $* --config voc.yaml $(ARGS)

docs: $(VENV)/docs  ## The documentation as a site, build/docs/index.html; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

$(VENV)/docs: $(VENV)/installed
	$(BIN)/pip install -e '.[docs]'
	touch $@

picture:  ## The README's picture, of the run that make demo left
	$(BIN)/python docs/chain_picture.py runs/demo/acr docs/chain.jpg

notebook: install  ## Run docs/notebook.ipynb, the chain on generated scenes; minutes
	$(BIN)/jupyter execute docs/notebook.ipynb --timeout=600

torture: install  ## Kills, damaged and hostile input for the real commands; an hour on one core
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m torture $(ARGS)

test: install  ## The tests
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

check: install  ## Style, borders between folders, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: install  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
