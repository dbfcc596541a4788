# SPDX-License-Identifier: GPL-2.0
#
# The host needs bash, make and apt: scripts/buildroot brings the rest.
# KERNEL=<release> on the command line selects another stock kernel, V=1 shows
# the commands.

PREFIX ?= /usr/local
BUILDROOT := scripts/buildroot
KBUILD := $(BUILDROOT) kbuild $(if $(V),V=$(V))

.DELETE_ON_ERROR:
.DEFAULT_GOAL := modules

# The goals share build/, and each is parallel by itself.
.NOTPARALLEL:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: modules
modules: ## Build xen-cmmfront.ko, xen-cmmback.ko and the samples in build/ (the default)
	@$(KBUILD) modules

# What the lab needs besides the modules, made beside what these need.
.PHONY: parts
parts:
	@$(BUILDROOT) prepare kernel boot emulator

.PHONY: cmm-top
cmm-top: ## Build build/cmm-top, which shows in Dom0 who has borrowed and lent memory
	@$(BUILDROOT) run make --silent -C tools/cmm-top

.PHONY: xen
xen: ## Build the hypervisor with what is in hypervisor/: XEN_SOURCE=DIR, TARBALL, or FILE.dsc
	@$(if $(XEN_SOURCE),XEN_SOURCE=$(abspath $(XEN_SOURCE))) $(BUILDROOT) path xen

.PHONY: check
check: parts modules ## Run all tests, on the host and in the lab
	@selftests/run

.PHONY: ci
ci: htmldocs check ## What CI runs: the documents, and all tests

# Those in which most is done by both halves, and against them.
DEBUG_SUITES := transfer lifecycle faults-requester hostile

.PHONY: check-debug
check-debug: ## Run suites under a kernel that checks itself (slow): SUITES=
	@CMM_DEBUG=1 $(BUILDROOT) kbuild modules
	@CMM_DEBUG=1 selftests/run $(or $(SUITES),$(DEBUG_SUITES))

.PHONY: demo
demo: parts modules ## Show a minute in the life of four domains, and draw it: build/demo/demo.svg
	@scripts/lab --clock exact --timeout 1800 --out build/demo selftests/demo
	@$(BUILDROOT) run gnuplot -e "dir='build/demo'" selftests/demo/demo.gp && echo "wrote build/demo/demo.svg"

.PHONY: picture
picture: parts modules ## Draw a burst met in time beside one that a balancer meets: build/picture/burst.svg
	@scripts/lab --clock exact --timeout 1800 --out build/picture selftests/picture
	@$(BUILDROOT) run gnuplot -e "dir='build/picture'" selftests/picture/picture.gp && echo "wrote build/picture/burst.svg"

.PHONY: bench
bench: parts modules ## Measure the transfers beside malloc; STRICT=1 fails when a limit is missed
	@scripts/bench $(if $(STRICT),--strict)

# A program of the host package, and gnuplot for what it wrote: $(call draw,DIRECTORY,FILE)
HOST := $(BUILDROOT) run env CARGO_TARGET_DIR=$(CURDIR)/build/host
HOST_PROGRAM = $(HOST) cargo run --quiet --locked --release --manifest-path selftests/host/Cargo.toml --bin
draw = @$(BUILDROOT) run gnuplot -e "dir='$(1)'" selftests/host/$(2).gp && echo "wrote $(1)/$(2).svg"

.PHONY: bench-decisions
bench-decisions: ## Measure the worst that one event takes, with 10 to 10 000 domains
	@mkdir -p build/bench && chown --reference=. build build/bench
	@$(HOST_PROGRAM) decisions -- build/bench
	$(call draw,build/bench,decisions)

.PHONY: bursts
bursts: ## Record what real programs need of memory, say how bursty that is, and draw it
	@scripts/bursts record
	@scripts/bursts report --shapes

.PHONY: fleet
fleet: ## Compare managers of memory on simulated fleets with bursts: SEED= ONLY="bursts-8 ours"
	@mkdir -p build/bursts && chown --reference=. build build/bursts
	@$(HOST_PROGRAM) fleet -- build/bursts $(if $(SEED),--seed $(SEED)) $(foreach word,$(ONLY),--only $(word)) \
		$(addprefix --shapes ,$(wildcard selftests/bursts/shapes))

.PHONY: compare
compare: parts modules fleet ## The same in the lab besides, with real domains (hours): SEED= RUNS="pv-70 pvh-85"
	@scripts/compare $(if $(SEED),--seed $(SEED)) $(RUNS)

.PHONY: latency
latency: parts modules ## Measure all there is of latency, print it and draw it in build/latency
	@scripts/latency

.PHONY: simulate
simulate: ## Try both halves on simulated domains: SEED= DOMAINS= EVENTS=
	@mkdir -p build/simulation && chown --reference=. build build/simulation
	@$(HOST_PROGRAM) simulate -- --out build/simulation $(if $(SEED),--seed $(SEED)) \
		$(if $(DOMAINS),--domains $(DOMAINS)) $(if $(EVENTS),--events $(EVENTS))
	$(call draw,build/simulation,memory)

.PHONY: soak
soak: parts modules ## Move memory among six domains, with faults, at random: SEED= ROUNDS= VCPUS=
	@scripts/lab --clock exact --timeout 86400 --out build/soak --vcpus $(or $(VCPUS),2) --cpus 2 \
		--set SEED=$(or $(SEED),$(shell date +%s)) --set ROUNDS=$(or $(ROUNDS),200) selftests/soak

.PHONY: unload
unload: parts modules ## Unload the modules while devices and domains come and go: SEED= SHORT= ROUNDS=
	@scripts/lab --clock exact --timeout 86400 --out build/unload --set SEED=$(or $(SEED),$(shell date +%s)) \
		--set SHORT=$(or $(SHORT),5000) --set ROUNDS=$(or $(ROUNDS),1000) selftests/unload

.PHONY: fuzz
fuzz: ## Fuzz everything that reads what the other side wrote, FUZZ_SECONDS=60 each
	@mkdir -p build && chown --reference=. build && $(BUILDROOT) run env FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) selftests/fuzz/run

.PHONY: mutants
mutants: ## Make mistakes in rust/cmm and see whether tests notice: JOBS= SHARD=K/N RESUME=1 PARTS=
	@mkdir -p build/mutants && chown --reference=. build build/mutants
	@$(BUILDROOT) run scripts/mutants $(if $(JOBS),--jobs $(JOBS)) $(if $(SHARD),--shard $(SHARD)) \
		$(if $(RESUME),--resume) $(PARTS)

.PHONY: lab
lab: parts modules ## Open a shell in the lab's Dom0
	@scripts/lab --shell

# The kernel adds no_std to every crate; rust/cmm says it too, for cargo.
CLIPPY_FLAGS := -Dwarnings -Aclippy::duplicated_attributes

.PHONY: lint
lint: ## Check formatting, clippy, shellcheck, licenses and where unsafe is used
	@status=0; $(BUILDROOT) run scripts/lint || status=1; \
		{ $(BUILDROOT) pack reuse lint --lines && echo "ok      licenses, by reuse"; } || status=1; \
		$(KBUILD) MO=$(CURDIR)/build/clippy CLIPPY=1 KRUSTFLAGS='$(CLIPPY_FLAGS)' \
			KCFLAGS=-Werror modules || status=1; \
		exit $$status

.PHONY: doc
doc: modules ## Write rustdoc's pages of all crates into build/doc
	@$(BUILDROOT) run scripts/rust-crates doc build/doc

.PHONY: htmldocs
htmldocs: ## Write pages of Documentation/ into build/htmldocs; a warning is an error
	@mkdir -p build/htmldocs && chown --reference=. build build/htmldocs
	@$(BUILDROOT) pack sphinx-build --fail-on-warning --keep-going --quiet \
		--doctree-dir build/htmldocs/.doctrees Documentation build/htmldocs
	@echo "wrote build/htmldocs/index.html"

.PHONY: rust-analyzer
rust-analyzer: modules ## Write rust-project.json for rust-analyzer on this machine
	@$(KBUILD) rust-analyzer
	@root=$$($(BUILDROOT) path root) && \
		$(BUILDROOT) run scripts/rust-crates project rust-project.json "$$root"

.PHONY: deb
deb: modules ## Make Debian packages in build/deb: utilities, and modules for this kernel
	@scripts/deb

# What suites build beside their sources.
PROGRAMS := $(addprefix selftests/,bursts/burst-record bursts/burst-play demo/burst-play demo/watcher demo/*.rec */mover */scribble */eater badinput/badfront large/hugepages picture/watcher programs/asker programs/burst_server extents/holder extents/starver top/cmm-top latency/cmm-latency latency/interference/hog lifecycle/watches compare/compare-play compare/compare-poll)

.PHONY: clean
clean: ## Remove what make has made here; the cache stays
	rm -rf build rust-project.json
	rm -f $(PROGRAMS)

# The machine this runs on is the one the modules are for. DESTDIR is honoured: below /usr, so
# that what is unpacked in a root does not replace the link that /lib is there.
install: export KERNEL := $(or $(KERNEL),$(shell uname -r))
install uninstall: all_modules = $(DESTDIR)/usr/lib/modules
install uninstall: modules_dir = $(all_modules)/$(KERNEL)/updates/xen-cmm
install uninstall: man = $(DESTDIR)$(PREFIX)/share/man
install uninstall: bpftrace = $(DESTDIR)$(PREFIX)/share/xen-cmm/bpftrace
install uninstall: unit = $(DESTDIR)$(PREFIX)/lib/systemd/system/cmm-attach.service

.PHONY: install
install: modules cmm-top ## Install the modules, cmm-attach with its service, cmm-room, cmm-top and what bpftrace reads on this machine
	@grep -aq "vermagic=$(KERNEL) " build/frontend/xen-cmmfront.ko || { \
		echo "install: error: build/ has modules of another kernel than $(KERNEL): run make install alone" >&2; \
		exit 1; }
	install -d "$(modules_dir)"
	install -m 644 build/frontend/xen-cmmfront.ko build/backend/xen-cmmback.ko "$(modules_dir)"
	install -D -t "$(DESTDIR)$(PREFIX)/sbin" scripts/cmm-attach scripts/cmm-room build/cmm-top
	install -D -m 644 -t "$(man)/man8" Documentation/man/cmm-attach.8 Documentation/man/cmm-room.8 \
		Documentation/man/cmm-top.8
	install -D -m 644 Documentation/man/xen-cmm.4 "$(man)/man4/xen-cmm.4"
	install -D -m 644 -t "$(bpftrace)" tools/bpftrace/*.bt
	install -d "$(dir $(unit))"
	sed 's|@sbindir@|$(PREFIX)/sbin|' scripts/cmm-attach.service.in > "$(unit)"
	$(if $(DESTDIR),,depmod "$(KERNEL)")
	@echo "Installed. In a DomU: modprobe xen-cmmfront. In Dom0: systemctl enable --now cmm-attach"

.PHONY: uninstall
uninstall: ## Remove what install has put on this machine, for all kernels
	$(if $(DESTDIR),,[ ! -e "$(unit)" ] || systemctl disable --now cmm-attach)
	rm -f $(foreach program,attach room top,"$(DESTDIR)$(PREFIX)/sbin/cmm-$(program)" "$(man)/man8/cmm-$(program).8")
	rm -f "$(unit)" "$(man)/man4/xen-cmm.4"
	rm -rf "$(DESTDIR)$(PREFIX)/share/xen-cmm"
	@for dir in "$(all_modules)"/*/updates/xen-cmm; do \
		[ -d "$$dir" ] || continue; \
		echo "rm -rf $$dir"; rm -rf "$$dir"; \
		$(if $(DESTDIR),,kernel=$${dir%/updates/xen-cmm}; depmod "$${kernel##*/}";) \
	done
