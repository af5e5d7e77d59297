# SPDX-License-Identifier: GPL-2.0
#
# ivshm: shared memory between the virtual machines of a KVM host.
# "make help" says what there is.

# Kbuild, when it is asked to build here (M=), reads the file Kbuild instead.

TOP	:= $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
KDIR	?= /lib/modules/$(shell uname -r)/build
T	:= $(TOP)/selftests

prefix	?= /usr
sysconfdir	?= /etc
udevdir	?= $(prefix)/lib/udev/rules.d
modulesloaddir	?= $(prefix)/lib/modules-load.d
apparmordir	?= $(sysconfdir)/apparmor.d
unitdir		?= $(prefix)/lib/systemd/system
docdir		?= $(prefix)/share/doc/ivshm
INSTALL	?= install

all: modules tools

help:
	@echo 'Building'
	@echo '  all            the module, the tool and the library (default)'
	@echo '  modules        drivers/ivshm/ivshm.ko, for KDIR='
	@echo '                 ($(KDIR))'
	@echo '  tools          tools/ivmctl/ivmctl, tools/libivshm'
	@echo '  install        both, the manual, and install-host; DESTDIR= is honoured'
	@echo '  install-host   rules of the host: udev, modules-load, AppArmor for libvirt, and'
	@echo '                 the service that applies /etc/ivshm/couplings.d'
	@echo '  uninstall      remove what install put there'
	@echo '  clean          remove what was built here'
	@echo '  deps           install the Debian packages that are missing (as root)'
	@echo 'Trying and testing; never in the kernel of this machine'
	@echo '  demo           two guests, over a bridge and then through shared memory'
	@echo '                 (DEMO="--keep" to stay in the machine)'
	@echo '  vm-shell       a shell in the test machine (VM="--kernel debug" for that one)'
	@echo '  check          all suites, on the stock and the debug kernel'
	@echo '  check-quick    ring tests in user space, KUnit, style'
	@echo '  check-long     check, with every program and guest test on both kernels, and'
	@echo '                 much of it on newer ones'
	@echo '  bench          what a frame costs, beside vhost-net (BENCH="--json FILE")'
	@echo '  bench-smoke    did it get worse? two minutes'
	@echo '  bench-plot     plots of what bench measured, in Documentation/'
	@echo '  style          sparse, W=1, checkpatch --strict, shellcheck'
	@echo 'What tests need is kept in ~/.cache/ivshm (IVSHM_CACHE=DIR to put it elsewhere).'

modules: kdir
	$(MAKE) -C $(KDIR) M=$(TOP) modules

kdir:
	@[ -e "$(KDIR)/Makefile" ] || { \
		echo "There are no kernel headers at KDIR=$(KDIR)." >&2; \
		echo "Install them (Debian: apt-get install linux-headers-\$$(uname -r)), or name" >&2; \
		echo "others: make KDIR=/lib/modules/VERSION/build. This machine has:" >&2; \
		for d in /lib/modules/*/build /usr/src/linux-headers-*[0-9]-amd64; do \
			[ ! -e "$$d/Makefile" ] || echo "  $$d" >&2; \
		done; \
		exit 1; \
	}

tools:
	$(MAKE) -C $(TOP)/tools/ivmctl
	$(MAKE) -C $(TOP)/tools/libivshm

install: kdir all install-host
	$(MAKE) -C $(KDIR) M=$(TOP) CONFIG_MODULE_SIG_ALL= \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) DEPMOD=true modules_install
	@# Kbuild itself would want a System.map, which headers do not have.
	$(if $(DESTDIR),,depmod -a $$($(MAKE) -s -C $(KDIR) kernelrelease))
	$(MAKE) -C $(TOP)/tools/ivmctl install DESTDIR=$(DESTDIR) prefix=$(prefix)
	$(MAKE) -C $(TOP)/tools/libivshm install DESTDIR=$(DESTDIR) prefix=$(prefix)

install-host:
	$(INSTALL) -D -m 0644 $(TOP)/tools/host/60-ivshm.rules $(DESTDIR)$(udevdir)/60-ivshm.rules
	$(INSTALL) -D -m 0644 $(TOP)/tools/host/modules-load.conf $(DESTDIR)$(modulesloaddir)/ivshm.conf
	$(INSTALL) -D -m 0644 $(TOP)/tools/host/apparmor \
		$(DESTDIR)$(apparmordir)/abstractions/libvirt-qemu.d/ivshm
	$(INSTALL) -d $(DESTDIR)$(sysconfdir)/ivshm/couplings.d $(DESTDIR)$(unitdir)
	$(INSTALL) -D -m 0644 $(TOP)/tools/host/couplings.conf.example \
		$(DESTDIR)$(docdir)/couplings.conf.example
	sed 's|/usr/sbin/|$(prefix)/sbin/|; s|/etc/|$(sysconfdir)/|' \
		$(TOP)/tools/host/ivshm-couplings.service >$(DESTDIR)$(unitdir)/ivshm-couplings.service
	chmod 0644 $(DESTDIR)$(unitdir)/ivshm-couplings.service
	@# A file of the administrator's: not in a package.
	$(if $(DESTDIR),,$(TOP)/tools/host/apparmor-local add $(apparmordir))

# The module of every kernel. The kernel's Makefile decides where it was put: extra,
# or updates with newer kernels.
uninstall:
	$(if $(DESTDIR),,$(TOP)/tools/host/apparmor-local remove $(apparmordir))
	rm -f $(DESTDIR)$(udevdir)/60-ivshm.rules $(DESTDIR)$(modulesloaddir)/ivshm.conf \
		$(DESTDIR)$(apparmordir)/abstractions/libvirt-qemu.d/ivshm \
		$(DESTDIR)$(unitdir)/ivshm-couplings.service $(DESTDIR)$(docdir)/couplings.conf.example
	@# What the administrator wrote stays.
	for dir in $(sysconfdir)/ivshm/couplings.d $(sysconfdir)/ivshm $(docdir); do \
		[ ! -d $(DESTDIR)$$dir ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$$dir; \
	done
	$(MAKE) -C $(TOP)/tools/ivmctl uninstall DESTDIR=$(DESTDIR) prefix=$(prefix)
	$(MAKE) -C $(TOP)/tools/libivshm uninstall DESTDIR=$(DESTDIR) prefix=$(prefix)
	for dir in $(DESTDIR)/lib/modules/*/extra $(DESTDIR)/lib/modules/*/updates; do \
		[ -d $$dir/drivers/ivshm ] || continue; \
		rm -f $$dir/drivers/ivshm/ivshm.ko*; \
		rmdir --ignore-fail-on-non-empty $$dir/drivers/ivshm; \
		$(if $(DESTDIR),:,depmod -a $$(basename $$(dirname $$dir))); \
	done

deps:
	@$(T)/deps

demo:
	@$(T)/demo/demo $(DEMO)

vm-shell:
	@$(T)/vm/run --shell $(VM)

check:
	@$(T)/check

check-quick:
	@$(T)/check --quick

check-long:
	@$(T)/check --long

bench:
	@$(T)/bench/bench $(BENCH)

bench-smoke:
	@$(T)/bench/bench --smoke

bench-plot:
	@$(T)/bench/bench --plot $(BENCH)

style:
	@$(T)/style

clean:
	@[ ! -e "$(KDIR)/Makefile" ] || $(MAKE) -C $(KDIR) M=$(TOP) clean
	$(MAKE) -C $(TOP)/tools/ivmctl clean
	$(MAKE) -C $(TOP)/tools/libivshm clean
	$(MAKE) -C $(T)/vring clean
	$(MAKE) -C $(T)/bench clean

.PHONY: all help modules kdir tools install install-host uninstall deps demo vm-shell \
	check check-quick check-long bench bench-smoke bench-plot style clean
