# Each target makes the virtual environment first; `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ACR    := $(BIN)/acr
VOC_ROOT ?= data/VOC2012
# Appended to `acr`: make voc-fit ARGS="--trainer.devices=4 --dataset.root=/data/VOC2012"
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test check format voc6 ablation bench-step bench-labels

help:  ## Show this help
	@grep -hE '^[a-z0-9%-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -e '.[dev]'
	touch $@

install: $(VENV)/installed  ## Make the virtual environment and install everything

demo: install  ## The whole chain on generated scenes, plain CAM against ACR; ends with runs/demo/report.html
	@since=$$(date +%s); set -e; \
	$(ACR) run --config demo.yaml --run runs/demo/baseline --stages fit,cam,evaluate \
	    --fit.model.strategy=baseline --cam.data.splits='[seed]' $(ARGS); \
	$(ACR) run --config demo.yaml --run runs/demo/acr --stages fit,cam,label,segment,evaluate $(ARGS); \
	$(ACR) report runs/demo/acr runs/demo/baseline --output runs/demo/report.html; \
	$(BIN)/python -m acr_lightning.report.figures demo --baseline runs/demo/baseline --acr runs/demo/acr --since $$since

voc6: install  ## VOC-6, plain CAM against ACR: make voc6 VOC_ROOT=/path/to/VOC2012
	@since=$$(date +%s); set -e; \
	$(ACR) run --config voc6.yaml --run runs/voc6/baseline --stages fit,cam,evaluate --dataset.root='$(VOC_ROOT)' \
	    --fit.model.strategy=baseline --cam.data.splits='[seed]' $(ARGS); \
	$(ACR) run --config voc6.yaml --run runs/voc6/acr --stages fit,cam,label,segment,evaluate \
	    --dataset.root='$(VOC_ROOT)' $(ARGS); \
	$(ACR) report runs/voc6/acr runs/voc6/baseline --output runs/voc6/report.html; \
	$(BIN)/python -m acr_lightning.report.figures voc6 --baseline runs/voc6/baseline --acr runs/voc6/acr --since $$since

ablation: install  ## Strategy x SRF and loss terms on VOC-6, three seeds: make ablation VOC_ROOT=/path/to/VOC2012
	$(ACR) ablation --config ablation/voc6.yaml --dataset.root='$(VOC_ROOT)' $(ARGS)

bench-step: install  ## Images/s and peak memory of a training step in each mode
	$(BIN)/python -W ignore benchmarks/step.py $(ARGS)

voc-%: install  ## One stage of voc.yaml: voc-fit, voc-cam, voc-label, voc-segment, voc-evaluate, voc-report
	$(ACR) $* --config voc.yaml $(ARGS)

bench-labels: install  ## How fast labels are made, against straightforward ways; writes runs/bench-labels.md
	$(BIN)/python -m benchmarks.labels $(ARGS)

test: install  ## The tests
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

check: install  ## Style, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
