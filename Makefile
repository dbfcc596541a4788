# SPDX-License-Identifier: GPL-2.0
#
# The host needs bash, make and apt: scripts/buildroot brings the rest.
# KERNEL=<release> on the command line selects another stock kernel, V=1 shows
# the commands.

BUILDROOT := scripts/buildroot
KBUILD := $(BUILDROOT) kbuild $(if $(V),V=$(V))

.DELETE_ON_ERROR:
.DEFAULT_GOAL := modules

# Several goals share build/, and kbuild is parallel by itself.
.NOTPARALLEL:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: modules
modules: ## Build xen-cmmfront.ko and xen-cmmback.ko in build/ (the default)
	@$(KBUILD) modules

.PHONY: clean
clean: ## Remove build/; the cache stays
	rm -rf build
