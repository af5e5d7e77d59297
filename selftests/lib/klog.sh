# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The kernel log gate: what a kernel log of a passing test must not contain.
#
# Sourced by scripts, so that they all agree.

klog_bad='(^|[^[:alnum:]])(BUG|Oops|KASAN|UBSAN|kmemleak|DEBUG_LOCKS_WARN_ON)($|[^[:alnum:]_])|WARNING: |INFO: |possible (circular|recursive|irq|deadlock)|inconsistent lock state|suspicious RCU|held lock freed|still has locks held|lock(s)? held when returning|bad unlock balance|nested lock was not taken|unreferenced object|blocked for more than|soft lockup|hard LOCKUP|self-detected stall|detected stalls|scheduling while atomic|sleeping function called|refcount_t:|general protection|unable to handle|kernel NULL pointer|Kernel panic|list_(add|del) corruption|Bad page|ODEBUG:|waiting for .* to become free|leaked reference|bad_page|stack-protector|use-after-free'

# Lines that match and mean no harm.
#  - what the kernel says about itself while it boots
klog_fine='kmemleak: (Kernel memory leak detector|Automatic memory scanning)|Spectre|MDS CPU bug|TAA CPU bug|L1TF CPU bug|MMIO Stale Data CPU bug|KernelAddressSanitizer initialized|rcu: .*RCU|Kernel command line:'

# klog_gate FILE... - print the offending lines; status 0 when there are none
klog_gate()
{
	! cat "$@" 2>/dev/null | tr -d '\r' | grep -a -E "$klog_bad" | grep -a -v -E "$klog_fine"
}
