// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <stdio.h>

#include "record_escape.h"
#include "record_fields.h"

#define INDENT	"    "

static void print_name(const char *text, FILE *out)
{
	char buf[VNM_ESCAPE_MAX(256)];

	/* An empty name would make the next keyword look like its value. */
	fputs(*text ? vnm_escape(text, buf, sizeof(buf)) : "\"\"", out);
}

static void print_port(const struct vnm_port *p, FILE *out)
{
	char buf[16];

	if (p->name[0]) {
		print_name(p->name, out);
		fputc(':', out);
	}
	fprintf(out, "%s/%u",
		vnm_word_text(VNM_WORDS_PROTO, p->proto, buf, sizeof(buf)),
		p->port);
	if (VNM_HAS(p, VNIMESH_A_PORT_TARGET) && p->target != p->port)
		fprintf(out, ":%u", p->target);
}

static void print_addr(const struct ip_addr *a, FILE *out)
{
	char buf[IP_TEXT_MAX];

	fputs(a->family ? ip_text(a, buf) : "none", out);
}

static void print_prefix(const struct ip_prefix *p, FILE *out)
{
	char buf[IP_TEXT_MAX];

	fputs(p->addr.family ? ip_prefix_text(p, buf) : "none", out);
}

static void print_number(const struct vnm_field *f, const void *p, FILE *out)
{
	static const char *const units[] = {
		[VNM_K_US] = "us",
		[VNM_K_MS] = "ms",
		[VNM_K_SEC] = "s",
	};
	uint32_t v = *(const uint32_t *)p;

	fprintf(out, "%u%s", v, f->kind == VNM_K_U32 ? "" : units[f->kind]);
}

static void print_value(const struct vnm_field *f, const void *p, FILE *out)
{
	char buf[16];

	switch (f->kind) {
	case VNM_K_U8:
		fprintf(out, "%u", *(const uint8_t *)p);
		break;
	case VNM_K_BOOL:
		fputs(*(const uint8_t *)p ? "on" : "off", out);
		break;
	case VNM_K_ENUM:
		fputs(vnm_word_text(f->words, *(const uint8_t *)p, buf,
				    sizeof(buf)), out);
		break;
	case VNM_K_FAMILY:
		fputs(*(const uint8_t *)p == AF_INET6 ? "inet6" : "inet", out);
		break;
	case VNM_K_BE16:
		fprintf(out, "%u", *(const uint16_t *)p);
		break;
	case VNM_K_S32:
		fprintf(out, "%d", *(const int32_t *)p);
		break;
	case VNM_K_U32:
	case VNM_K_US:
	case VNM_K_MS:
	case VNM_K_SEC:
		print_number(f, p, out);
		break;
	case VNM_K_U64:
		fprintf(out, "%llu",
			(unsigned long long)*(const uint64_t *)p);
		break;
	case VNM_K_STRING:
		print_name(p, out);
		break;
	case VNM_K_ADDR:
	case VNM_K_ADDR4:
	case VNM_K_ADDR6:
		print_addr(p, out);
		break;
	case VNM_K_PREFIX:
		print_prefix(p, out);
		break;
	default:
		break;
	}
}

/* Counters, one to a line; those at zero only in detail. */
static void print_stats(const struct vnm_stats *s, unsigned int show, FILE *out)
{
	const struct vnm_field *f;
	unsigned int i;

	for (i = 1; i <= VNIMESH_A_STATS_MAX; i++) {
		f = vnm_field(&vnm_stats_type, i);
		if (!f || !vnm_present(s, i) ||
		    (!s->v[i] && !(show & VNM_SHOW_DETAIL)))
			continue;
		fprintf(out, "\n" INDENT "%s %llu", f->name,
			(unsigned long long)s->v[i]);
	}
}

static void print_list(const struct vnm_field *f, const void *p,
		       const char *sep, FILE *out)
{
	const struct vnm_prefixes *prefixes = p;
	const struct vnm_ports *ports = p;
	uint32_t n = *(const uint32_t *)p, i;

	for (i = 0; i < n; i++) {
		fprintf(out, "%s%s ", i ? " " : sep, f->word);
		if (f->kind == VNM_K_PORTS)
			print_port(&ports->v[i], out);
		else
			print_prefix(&prefixes->v[i], out);
	}
}

static void print_cands(const struct vnm_field *f, const struct vnm_cands *c,
			unsigned int show, FILE *out)
{
	struct vnm_cand one;
	uint32_t i;

	for (i = 0; i < c->n; i++) {
		one = c->v[i];
		if (one.excluded == VNIMESH_EXCLUDE_NONE)
			one.present &= ~VNM_BIT(VNIMESH_A_CAND_EXCLUDED);
		fprintf(out, "\n" INDENT "%s ", f->word);
		vnm_record_text(&vnm_cand_type, &one, show, out);
	}
}

static void print_tiers(const struct vnm_field *f, const struct vnm_tiers *t,
			unsigned int show, FILE *out)
{
	uint32_t i;

	for (i = 0; i < t->n; i++) {
		fprintf(out, "\n" INDENT "%s %u ", f->word, i);
		vnm_record_text(&vnm_tier_type, &t->v[i], show, out);
	}
}

/* Lines of their own come after the first line, whatever their number. */
static void print_blocks(const struct vnm_type *t, const char *rec,
			 unsigned int show, FILE *out)
{
	const struct vnm_field *f;
	unsigned int i;

	for (i = 1; i <= t->max; i++) {
		f = vnm_field(t, i);
		if (!f || !vnm_present(rec, i))
			continue;
		if (f->kind == VNM_K_CANDS)
			print_cands(f, (const void *)(rec + f->off), show, out);
		else if (f->kind == VNM_K_TIERS && (show & VNM_SHOW_DETAIL))
			print_tiers(f, (const void *)(rec + f->off), show, out);
		else if (f->kind == VNM_K_STATS && (show & VNM_SHOW_STATS))
			print_stats((const void *)(rec + f->off), show, out);
	}
}

void vnm_record_text(const struct vnm_type *t, const void *rec,
		     unsigned int show, FILE *out)
{
	const struct vnm_field *f;
	const char *sep = "";
	const char *p;
	unsigned int i;

	for (i = 1; i <= t->max; i++) {
		f = vnm_field(t, i);
		if (!f || !f->word || !vnm_present(rec, i) ||
		    (f->flags & VNM_F_QUIET) || f->kind == VNM_K_CANDS ||
		    f->kind == VNM_K_TIERS || f->kind == VNM_K_STATS)
			continue;
		if ((f->flags & VNM_F_DETAIL) && !(show & VNM_SHOW_DETAIL))
			continue;
		if ((f->flags & VNM_F_STAT) && !(show & VNM_SHOW_STATS))
			continue;
		p = (const char *)rec + f->off;
		if (f->kind == VNM_K_STRING && !*p &&
		    !(show & VNM_SHOW_DETAIL))
			continue;
		if (f->kind == VNM_K_PREFIXES || f->kind == VNM_K_PORTS) {
			if (!*(const uint32_t *)(const void *)p)
				continue;
			print_list(f, p, sep, out);
		} else if (f->kind == VNM_K_FLAG) {
			fprintf(out, "%s%s", sep, f->word);
		} else {
			fprintf(out, "%s%s ", sep, f->word);
			print_value(f, p, out);
		}
		sep = " ";
	}
	print_blocks(t, rec, show, out);
}
