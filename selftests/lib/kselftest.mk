# SPDX-License-Identifier: GPL-2.0
#
# Included by a directory of programs made with kselftest_harness.h: one of each
# *_test.c there. Before that it may say
#
#   OBJS        what all of them are linked with
#   DIRS        other directories with sources and headers of that
#   OPTIONS     for the compiler
#   LIBS        for the linker
#   RUN_TESTS   what runs them all

OUTPUT		?= $(CURDIR)/out
# It has the kernel's kselftest.h and kselftest_harness.h.
KSELFTEST_DIR	?= $(shell ../vm/kernel source)/tools/testing/selftests

CFLAGS		?= -g -O2
BASE		:= -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-sign-compare \
		   -Wno-missing-field-initializers $(addprefix -I,$(DIRS)) \
		   -I../../include/uapi -isystem $(KSELFTEST_DIR) $(OPTIONS)
HEADERS		:= $(wildcard $(addsuffix /*.h,. $(DIRS)) ../../include/uapi/linux/*.h) \
		   Makefile ../lib/kselftest.mk
LIBOBJS		:= $(addprefix $(OUTPUT)/,$(OBJS))
PROGS		:= $(patsubst %.c,$(OUTPUT)/%,$(wildcard *_test.c))
RUN_TESTS	?= ../lib/run-programs $(PROGS)

vpath %.c $(DIRS)

all: $(PROGS)

$(OUTPUT)/%.o: %.c $(HEADERS) | $(OUTPUT)
	$(CC) $(BASE) $(CFLAGS) -c -o $@ $<

$(OUTPUT)/%_test: $(OUTPUT)/%_test.o $(LIBOBJS)
	$(CC) $(CFLAGS) -pthread -o $@ $^ $(LIBS)

run_tests: all
	@$(RUN_TESTS)

.PHONY: run_tests
.SECONDARY:

include ../lib/output.mk
