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

	write_lock(&gm->lock);
	gm->log_hva = log;
	gm->log_size = size;
	gm->log_enabled = enable;
	write_unlock(&gm->lock);
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

int ivshm_gmem_log_resident(struct ivshm_gmem *gm, u64 gpa, u64 len)
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

bool ivshm_gmem_logged(const struct ivshm_gmem *gm)
{
	return gm->log_enabled;
}

int ivshm_gmem_log_prepare(struct ivshm_gmem *gm, u64 gpa, u32 len)
{
	if (likely(!gm->log_enabled))
		return 0;
	return ivshm_gmem_log_resident(gm, gpa, len);
}

void ivshm_gmem_log(struct ivshm_gmem *gm, u64 gpa, u32 len)
{
	u64 bit, last;
	void *byte;

	if (likely(!gm->log_enabled))
		return;
	if (!ivshm_gmem_log_bits(gm, gpa, len, &bit, &last))
		return;
	/*
	 * The data before the bit: the VMM takes the bits with an atomic
	 * exchange and sends the pages after that.
	 */
	smp_wmb();
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
