// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: the dirty log of live migration, which lies in the VMM's
 * memory and is reached through the mirror like everything else.
 */
#include <linux/bitops.h>
#include <linux/uaccess.h>

#include "guest_mem_priv.h"

int ivshm_gmem_set_log(struct ivshm_gmem *gm, u64 log, u64 size, bool enable)
{
	if (log >= TASK_SIZE_MAX || size > TASK_SIZE_MAX - log)
		return -EFAULT;

	ivshm_gmem_write_lock(gm);
	gm->log_hva = log;
	gm->log_size = size;
	gm->log_enabled = enable;
	ivshm_gmem_write_unlock(gm);
	ivshm_gmem_forget_bad(gm);
	return 0;
}

/*
 * The bits for [@gpa, @gpa + @len) that lie inside the log: false if none.
 * What is beyond its end is memory that the VMM does not migrate.
 */
static bool ivshm_gmem_log_bits(const struct ivshm_gmem *gm, u64 gpa, u64 len,
				u64 *first, u64 *last)
{
	u64 bits = gm->log_size * 8;

	if (!len)
		return false;
	*first = gpa / VHOST_PAGE_SIZE;
	*last = (gpa + (len - 1)) / VHOST_PAGE_SIZE;
	if (*first >= bits)
		return false;
	*last = min(*last, bits - 1);
	return true;
}

bool ivshm_gmem_logged(const struct ivshm_gmem *gm)
{
	return gm->log_enabled;
}

static int ivshm_gmem_log_prepare_gpa(struct ivshm_gmem *gm, u64 gpa, u64 len)
{
	u64 first, last, hva, end;
	int ret = 0, err;
	void *page;

	if (!ivshm_gmem_log_bits(gm, gpa, len, &first, &last))
		return 0;
	hva = (gm->log_hva + first / 8) & PAGE_MASK;
	end = gm->log_hva + last / 8;
	for (; hva <= end; hva += PAGE_SIZE) {
		err = ivshm_gmem_lookup(gm, hva, true, &page);
		if (err && err != -EAGAIN)
			return err;
		if (err)
			ret = err;
	}
	return ret;
}

static void ivshm_gmem_log_gpa(struct ivshm_gmem *gm, u64 gpa, u64 len)
{
	u64 bit, last;
	void *byte;

	if (!ivshm_gmem_log_bits(gm, gpa, len, &bit, &last))
		return;
	for (; bit <= last; bit++) {
		if (WARN_ON_ONCE(ivshm_gmem_lookup(gm, gm->log_hva + bit / 8,
						   true, &byte)))
			return;
		/*
		 * The log is an array of long in the VMM's byte order, and
		 * set_bit() wants one: count from the start of the page.
		 */
		set_bit(offset_in_page(byte) * 8 + bit % 8,
			(unsigned long *)((unsigned long)byte & PAGE_MASK));
	}
}

/*
 * All that is guest memory of @len bytes at VMM address @hva, which may be so at several
 * guest-physical addresses: as ivshm_gmem_log_prepare(), or with @mark log it.
 */
static int ivshm_gmem_log_hva(struct ivshm_gmem *gm, u64 hva, u64 len, bool mark)
{
	const struct ivshm_gmem_region *region = gm->view->region;
	const struct ivshm_gmem_region *end = region + gm->view->n;
	u64 first, last, gpa;
	int ret = 0, err;

	for (; region < end; region++) {
		first = max(hva, region->hva);
		last = min(hva + (len - 1), region->hva + (region->last - region->gpa));
		if (first > last)
			continue;
		gpa = region->gpa + (first - region->hva);
		if (mark) {
			ivshm_gmem_log_gpa(gm, gpa, last - first + 1);
			continue;
		}
		err = ivshm_gmem_log_prepare_gpa(gm, gpa, last - first + 1);
		if (err && err != -EAGAIN)
			return err;
		if (err)
			ret = err;
	}
	return ret;
}

/* The same of IOVAs. */
static int ivshm_gmem_log_iova(struct ivshm_gmem *gm, u64 iova, u64 len, bool mark)
{
	int ret = 0, err;
	u64 hva, piece;

	for (; len; iova += piece, len -= piece) {
		err = ivshm_gmem_translate(gm, iova, len, true, &hva, &piece);
		if (!err)
			err = ivshm_gmem_log_hva(gm, hva, piece, mark);
		if (err && err != -EAGAIN)
			return err;
		if (err)
			ret = err;
	}
	return ret;
}

int ivshm_gmem_log_prepare(struct ivshm_gmem *gm, u64 gpa, u64 len)
{
	if (unlikely(gm->iotlb))
		return ivshm_gmem_log_iova(gm, gpa, len, false);
	return ivshm_gmem_log_prepare_gpa(gm, gpa, len);
}

void ivshm_gmem_log(struct ivshm_gmem *gm, u64 gpa, u64 len)
{
	/*
	 * The data before the bit: the VMM takes the bits with an atomic
	 * exchange and sends the pages after that.
	 */
	smp_wmb();
	if (unlikely(gm->iotlb))
		WARN_ON_ONCE(ivshm_gmem_log_iova(gm, gpa, len, true));
	else
		ivshm_gmem_log_gpa(gm, gpa, len);
}

/* @enabled: only if data are to be logged. @mark: log, not only prepare to. */
static int ivshm_gmem_log_fault(struct ivshm_gmem *gm, u64 gpa, u64 len, bool enabled,
				bool mark)
{
	int err;

	do {
		ivshm_gmem_read_lock(gm);
		if (enabled && !gm->log_enabled)
			err = 0;
		else
			err = ivshm_gmem_log_prepare(gm, gpa, len);
		if (!err && mark && (!enabled || gm->log_enabled))
			ivshm_gmem_log(gm, gpa, len);
		ivshm_gmem_read_unlock(gm);
		if (err != -EAGAIN)
			return err;
		err = ivshm_gmem_fault(gm);
	} while (!err);
	return err;
}

int ivshm_gmem_log_wait(struct ivshm_gmem *gm, u64 gpa, u64 len)
{
	return ivshm_gmem_log_fault(gm, gpa, len, false, true);
}

int ivshm_gmem_log_data(struct ivshm_gmem *gm, u64 gpa, u64 len, bool written)
{
	return ivshm_gmem_log_fault(gm, gpa, len, true, written);
}
