# The two commands of the README. CMake does the building; this installs what is missing, builds and runs.

BUILD = build
PACKAGES = build-essential cmake ninja-build pkg-config llvm-19-dev liblua5.4-dev libcmocka-dev libjansson-dev \
	libzip-dev libpng-dev libturbojpeg0-dev zlib1g-dev libxxhash-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev libonnx-testdata dataset-fashion-mnist
FUZZ_PACKAGES = clang-19 libclang-rt-19-dev
BENCH_PACKAGES = libdnnl-dev python3-onnx
# make bench NETS="lenet5 resnet50" THREADS=1 ROUNDS=5; make bench-layers FILE=shapes
NETS = alexnet vgg16 inception_v3 resnet18 resnet50 densenet121 xception mobilenet_v1 mobilenet_v2 squeezenet1_1 dcgan style c3d lenet5
THREADS = 1 2
ROUNDS = 3
SECONDS = 1
FASHION = /usr/share/datasets/fashion-mnist

.PHONY: all demo test conformance fuzz bench bench-layers setup clean

fuzz: PACKAGES += $(FUZZ_PACKAGES)

all: setup
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@echo "== building (release) in $(BUILD)/"
	@ninja -C $(BUILD) --quiet

demo: all
	@$(BUILD)/lunette_demo specs/lenet5.lua specs/weights/lenet5-fashion.safetensors $(FASHION)
	@echo "== lunette check: every kernel of LeNet-5 against the interpreted reference"
	@$(BUILD)/lunette check specs/lenet5.lua -w specs/weights/lenet5-fashion.safetensors

# Without Clang the fuzz targets are left out, and that is said.
test: all
	@$(MAKE) --no-print-directory setup PACKAGES="$(FUZZ_PACKAGES)" || true
	@tests/run.sh $(BUILD)

# The test suites of others
conformance: all
	@tests/conformance.sh $(BUILD)

# Every reader, a minute each
fuzz: setup
	@tests/build_fuzz.sh $(BUILD)-fuzz
	@tests/fuzz.sh $(BUILD)-fuzz 60

# Beside ONNX Runtime and oneDNN. What cannot be installed is left out, and that is said.
bench: all
	@$(MAKE) --no-print-directory setup PACKAGES="$(BENCH_PACKAGES)" || true
	@tests/bench/run.sh $(BUILD) --nets "$(NETS)" --threads "$(THREADS)" --rounds "$(ROUNDS)" --seconds "$(SECONDS)" --extra "$(EXTRA)"

bench-layers: all
	@$(MAKE) --no-print-directory setup PACKAGES=libdnnl-dev || true
	@tests/bench/layers.sh $(BUILD) --file "$(FILE)" --threads "$(THREADS)" --seconds "$(SECONDS)"

# Debian packages, installed when missing; sudo when not root.
setup:
	@missing=""; for p in $(PACKAGES); do dpkg -s $$p 2>/dev/null | grep -q '^Status: install ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		echo "== installing Debian packages:$$missing"; \
		sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

clean:
	rm -rf $(BUILD) $(BUILD)-*
