// SPDX-License-Identifier: GPL-2.0
/* What the kernel found wrong with a request, in the user's words. */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <stdarg.h>
#include <string.h>

#include "attr.h"
#include "nl.h"

/* A text that grows up to the size of its buffer. */
struct text {
	char *buf;
	size_t size;
	size_t len;
};

static void __printf(2, 3) text_add(struct text *text, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (text->len >= text->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text->buf + text->len, text->size - text->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		text->len += (size_t)n;
}

bool ivnl_refusal_parse(const struct nlmsghdr *nlh,
			const struct nlmsghdr *request,
			struct ivnl_refusal *refusal)
{
	size_t len = nlh->nlmsg_len - NLMSG_HDRLEN;
	const char *data = NLMSG_DATA(nlh);
	size_t skip = sizeof(int);
	int error;

	memset(refusal, 0, sizeof(*refusal));
	refusal->request = request;

	if (len < skip)
		return false;
	memcpy(&error, data, sizeof(error));
	refusal->error = -error;

	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *err = (const struct nlmsgerr *)data;

		skip = sizeof(*err);
		if (len < skip)
			return false;
		/* Unless capped, a refusal carries the request along. */
		if (error && !(nlh->nlmsg_flags & NLM_F_CAPPED)) {
			if (err->msg.nlmsg_len < NLMSG_HDRLEN)
				return false;
			skip += NLMSG_ALIGN(err->msg.nlmsg_len - NLMSG_HDRLEN);
		}
	}

	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS && len > skip) {
		refusal->tlvs = (struct nlattr *)(data + skip);
		refusal->tlvs_len = (int)(len - skip);
	}
	return true;
}

static const char *attr_text(const struct nlattr *nla)
{
	const char *text = nla_data(nla);

	if (!nla_len(nla) || text[nla_len(nla) - 1])
		return NULL;
	return text;
}

/* What the user gave for the attribute at fault. */
static void add_value(struct text *text, const struct attr *attr,
		      struct nlattr *nla)
{
	struct nlattr *name;

	switch (attr->type) {
	case AT_STRING:
		if (attr_text(nla))
			text_add(text, " \"%s\"", attr_text(nla));
		break;
	case AT_U32:
		if (nla_len(nla) >= 4)
			text_add(text, " %u", nla_get_u32(nla));
		break;
	case AT_U64:
		if (nla_len(nla) >= 8)
			text_add(text, " %llu",
				 (unsigned long long)nla_get_u64(nla));
		break;
	case AT_OCT32:
		if (nla_len(nla) >= 4)
			text_add(text, " %04o", nla_get_u32(nla));
		break;
	case AT_ENUM:
		if (nla_len(nla) >= 4)
			text_add(text, " %s",
				 value_name(attr->values, nla_get_u32(nla)));
		break;
	case AT_BOOL:
		if (nla_len(nla) >= 1)
			text_add(text, " %s", nla_get_u8(nla) ? "yes" : "no");
		break;
	case AT_NEST:
		/* Whatever it is, it is known by its name. */
		name = nla_find(nla_data(nla), nla_len(nla),
				attr->nest->attrs[0].id);
		if (name)
			add_value(text, &attr->nest->attrs[0], name);
		break;
	}
}

/* The attribute that begins at @target, in @set or in a nest inside. */
static const struct attr *find_at(const struct attr_set *set,
				  struct nlattr *first, int len,
				  const char *target, struct nlattr **found)
{
	struct nlattr *nla;
	int rem;

	nla_for_each_attr(nla, first, len, rem) {
		const struct attr *attr = attr_find(set, (unsigned int)nla_type(nla));
		const char *begin = (const char *)nla;

		if (!attr)
			continue;
		if (begin == target) {
			*found = nla;
			return attr;
		}
		if (attr->nest && target > begin &&
		    target < begin + nla_total_size(nla_len(nla)))
			return find_at(attr->nest, nla_data(nla), nla_len(nla),
				       target, found);
	}
	return NULL;
}

static const struct attr *find_offset(const struct nlmsghdr *request,
				      const struct nlattr *offset,
				      struct nlattr **found)
{
	struct genlmsghdr *genl = NLMSG_DATA(request);

	if (!offset || nla_len(offset) < 4)
		return NULL;
	return find_at(&attrs_message, genlmsg_attrdata(genl, 0),
		       genlmsg_attrlen(genl, 0),
		       (const char *)request + nla_get_u32(offset), found);
}

/* The allowed range, if the kernel tells it. */
static void add_range(struct text *text, struct nlattr *policy)
{
	struct nlattr *tb[NL_POLICY_TYPE_ATTR_MAX + 1];
	struct nlattr *min, *max;

	if (!policy || nla_parse_nested(tb, NL_POLICY_TYPE_ATTR_MAX, policy, NULL))
		return;

	min = tb[NL_POLICY_TYPE_ATTR_MIN_VALUE_U];
	max = tb[NL_POLICY_TYPE_ATTR_MAX_VALUE_U];
	if (min && max && nla_len(min) >= 8 && nla_len(max) >= 8)
		text_add(text, " (allowed: %llu to %llu)",
			 (unsigned long long)nla_get_u64(min),
			 (unsigned long long)nla_get_u64(max));
	max = tb[NL_POLICY_TYPE_ATTR_MAX_LENGTH];
	if (max && nla_len(max) >= 4)
		text_add(text, " (at most %u bytes)", nla_get_u32(max));
}

static void add_missing(struct text *text, const struct nlmsghdr *request,
			const struct nlattr *type, const struct nlattr *offset)
{
	const struct attr_set *set = &attrs_message;
	const struct attr *attr;
	struct nlattr *nla;

	if (!type || nla_len(type) < 4)
		return;
	if (offset) {
		attr = find_offset(request, offset, &nla);
		set = attr ? attr->nest : NULL;
	}
	attr = set ? attr_find(set, nla_get_u32(type)) : NULL;
	if (attr)
		text_add(text, "%s is missing: ", attr->word);
}

void ivnl_explain(const struct ivnl_refusal *refusal, char *buf, size_t size)
{
	struct text text = { .buf = buf, .size = size };
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL };
	const struct attr *attr;
	const char *message = NULL;
	struct nlattr *nla;

	*buf = '\0';
	if (refusal->tlvs)
		nla_parse(tb, NLMSGERR_ATTR_MAX, refusal->tlvs,
			  refusal->tlvs_len, NULL);

	attr = find_offset(refusal->request, tb[NLMSGERR_ATTR_OFFS], &nla);
	if (attr) {
		text_add(&text, "%s", attr->word);
		add_value(&text, attr, nla);
		text_add(&text, ": ");
	}
	add_missing(&text, refusal->request, tb[NLMSGERR_ATTR_MISS_TYPE],
		    tb[NLMSGERR_ATTR_MISS_NEST]);

	if (tb[NLMSGERR_ATTR_MSG])
		message = attr_text(tb[NLMSGERR_ATTR_MSG]);
	if (message) {
		text_add(&text, "%s", message);
		add_range(&text, tb[NLMSGERR_ATTR_POLICY]);
	}
	if (!refusal->error)
		return;

	text_add(&text, "%s%s", message ? ": " : "", strerror(refusal->error));
	if (refusal->error == EPERM && !message)
		text_add(&text, " (this needs CAP_NET_ADMIN)");
}
