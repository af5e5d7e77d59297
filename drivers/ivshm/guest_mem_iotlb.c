// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory behind a vIOMMU: what the guest names are IOVAs, which a device
 * IOTLB translates to VMM addresses.  The memory table is needed for the dirty log
 * only, which goes by guest-physical addresses.
 *
 * Translations are looked up in read sections and changed under the mirror's lock
 * for writing: when an invalidation returns nobody uses the old one any more.
 */
#include <linux/minmax.h>

#include "guest_mem_priv.h"
#include "iotlb.h"

void ivshm_gmem_set_iotlb(struct ivshm_gmem *gm, struct ivshm_iotlb *tlb)
{
	ivshm_gmem_write_lock(gm);
	gm->iotlb = tlb;
	ivshm_gmem_write_unlock(gm);
}

bool ivshm_gmem_translated(const struct ivshm_gmem *gm)
{
	return gm->iotlb;
}

int ivshm_gmem_translate(struct ivshm_gmem *gm, u64 iova, u64 len, bool write, u64 *hva,
			 u64 *piece)
{
	u8 perm = write ? VHOST_ACCESS_WO : VHOST_ACCESS_RO;
	const struct ivshm_iotlb_map *map;

	lockdep_assert_held_read(&gm->lock);

	map = ivshm_iotlb_find(gm->iotlb, iova);
	if (!map) {
		ivshm_iotlb_note(gm->iotlb, iova, perm);
		return -EINPROGRESS;
	}
	if (!(map->perm & perm))
		return -EFAULT;
	*hva = map->uaddr + (iova - map->node.start);
	/* Not to the end of the entry: it may be the last address. */
	*piece = min_t(u64, len - 1, map->node.last - iova) + 1;
	return 0;
}

int ivshm_gmem_iova_piece(struct ivshm_gmem *gm, u64 iova, u32 len, bool write, void **addr,
			  u32 *piece)
{
	u64 hva, n;
	int err;

	/* One that is missing is gone past by page, so that all of them are asked for. */
	*piece = min_t(u64, len, PAGE_SIZE - offset_in_page(iova));
	err = ivshm_gmem_translate(gm, iova, *piece, write, &hva, &n);
	if (err)
		return err;
	*piece = min_t(u64, n, PAGE_SIZE - offset_in_page(hva));
	err = ivshm_gmem_lookup(gm, hva, write, addr);
	/* By user access it could be reached when it is not to be any more. */
	return err == -EOPNOTSUPP ? -EFAULT : err;
}

int ivshm_gmem_ring_hva(struct ivshm_gmem *gm, u64 addr, u32 len, bool write, u64 *hva)
{
	u64 at, piece, done = 0;
	int err;

	*hva = addr;
	if (likely(!gm->iotlb))
		return 0;
	do {
		err = ivshm_gmem_translate(gm, addr + done, len - done, write, &at, &piece);
		if (err)
			return err;
		if (!done)
			*hva = at;
		else if (at != *hva + done)
			return -EFAULT;
		done += piece;
	} while (done < len);
	/* A ring is reached by host pages: these are to be the guest's pages, too. */
	return offset_in_page(*hva) == offset_in_page(addr) ? 0 : -EFAULT;
}
