/* SPDX-License-Identifier: GPL-2.0 */
/* What a guest finds behind the address ranges of a device in sysfs. */
#ifndef _IVSHM_TEST_PCI_BAR_H
#define _IVSHM_TEST_PCI_BAR_H

#include <stddef.h>
#include <stdint.h>

/* Doorbell of ivshmem, in bytes; of the registers in resource0. */
#define REG_DOORBELL	12
/* What is written there. */
#define BELL(peer, vector)	((uint32_t)(peer) << 16 | (vector))

/* All of a file, for reading and writing. NULL with errno if that fails. */
void *pci_bar_map(const char *path, size_t *size);
/* The registers; @path is that of resource0. The same. */
uint32_t *pci_bar_registers(const char *path);

#endif /* _IVSHM_TEST_PCI_BAR_H */
