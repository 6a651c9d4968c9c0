#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The YNL specification and the uapi header say the same: names, order and
# values of attributes, enums, commands and constants. awk is enough for both,
# as each keeps to one form.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=selftests/lib.sh
. selftests/lib.sh

spec=Documentation/netlink/specs/vnimesh.yaml
header=uapi/linux/vnimesh.h

# NAME VALUE of each enumerator and number of the header that is part of the
# family; the link kind is not.
header_names()
{
	awk '
	/^enum/		{ inside = 1; value = 0 }
	/^}/		{ inside = 0 }
	inside && /^\t[A-Z]/ {
		line = $0
		sub(/\/\*.*/, "", line)
		gsub(/[\t ,]/, "", line)
		if (split(line, part, "=") == 2)
			value = part[2]
		if (part[1] !~ /^IFLA_/)
			print part[1], value
		value++
	}
	' "$1" | sort
}

header_numbers()
{
	awk '/^#define VNIMESH_[A-Z_]+[ \t]+(0x)?[0-9a-f]+([ \t]|$)/ {
		print $2, $3 }' "$1" |
	while read -r name value; do
		# *_MAX of an enum, and the version, are stated elsewhere.
		[ "$name" = VNIMESH_GENL_VERSION ] || echo "$name $((value))"
	done | sort
}

# As above, from the specification.
spec_names()
{
	awk '
	function c_name(prefix, name) {
		name = toupper(prefix name)
		gsub(/-/, "_", name)
		return name
	}
	/^[a-z-]+:/	{ section = $1; prefix = ""; value = 0 }
	/^  name-prefix:/	{ prefix = $2 }		# operations
	section == "definitions:" && /^  -$/ { type = ""; value = 0 }
	section == "definitions:" && /^    type:/ { type = $2 }
	section == "definitions:" && /^    value-start:/ { value = $2 }
	section == "attribute-sets:" && /^  -$/ { value = 0 }
	/^    name-prefix:/	{ prefix = $2 }
	section == "definitions:" && /^        name:/ {
		print c_name(prefix, $2), value++
	}
	# The value of an item stands behind its name.
	section == "attribute-sets:" && /^        name:/ {
		last = c_name(prefix, $2)
		order[++n] = last
		at[last] = value++
	}
	section == "attribute-sets:" && /^        value:/ {
		at[last] = $2
		value = $2 + 1
	}
	section == "operations:" && /^      name:/ {
		last = c_name(prefix, $2)
		order[++n] = last
		at[last] = value++
	}
	section == "operations:" && /^      value:/ {
		at[last] = $2
		value = $2 + 1
	}
	END {
		for (i = 1; i <= n; i++)
			print order[i], at[order[i]]
	}
	' "$1" | sort
}

spec_numbers()
{
	awk '
	/^[a-z-]+:/		{ section = $1 }
	section != "definitions:"	{ next }
	/^    name:/		{ name = toupper($2); gsub(/-/, "_", name) }
	/^    type:/		{ type = $2 }
	/^    value:/ && type == "const" { print "VNIMESH_" name, $2 }
	' "$1" | sort
}

# Attributes that operations name but their sets lack, and references to sets,
# enums and groups that are not there.
spec_dangling()
{
	awk '
	/^[a-z-]+:/	{ section = $1 }
	section == "definitions:" && /^    name:/ { def[$2] = 1 }
	section == "attribute-sets:" && /^    name:/ { set = $2; sets[set] = 1 }
	section == "attribute-sets:" && /^        name:/ { attr[set, $2] = 1 }
	section == "attribute-sets:" && /^        enum:/ && !def[$2] {
		print "enum " $2
	}
	/^        nested-attributes:/	{ nested[$2] = 1 }
	/^          max(-len)?: [a-z]/	{ if (!def[$2]) print "limit " $2 }
	section == "operations:" && /^      attribute-set:/ {
		set = $2
		if (!sets[set])
			print "set " set
	}
	section == "operations:" && /^      (name):/ { op = $2; ops[op] = 1 }
	/^      notify:/	{ notify[$2] = 1 }
	/^      mcgrp:/		{ used[$2] = 1 }
	section == "mcast-groups:" && /^      name:/ { group[$2] = 1 }
	section == "operations:" && /attributes: \[/ { list = 1 }
	list {
		line = $0
		closing = line ~ /\]/
		sub(/.*\[/, "", line)
		gsub(/[],]/, " ", line)
		n = split(line, word)
		for (i = 1; i <= n; i++)
			if (!attr[set, word[i]])
				print "attribute " word[i] " of " op
		if (closing)
			list = 0
	}
	END {
		for (n in nested) if (!sets[n]) print "set " n
		for (n in notify) if (!ops[n]) print "operation " n
		for (n in used) if (!group[n]) print "group " n
	}
	' "$1"
}

header_groups()
{
	awk -F'"' '/^#define VNIMESH_MCGRP_/ { print $2 }' "$1" | sort
}

spec_groups()
{
	awk '/^mcast-groups:/ { on = 1 } on && /^      name:/ { print $2 }' \
		"$1" | sort
}

same()
{
	diff -u --label header --label specification \
		<("header_$1" "$header") <("spec_$1" "$spec")
}

# Guard against a parser that finds nothing in both.
many()
{
	[ "$("spec_$1" "$spec" | wc -l)" -ge "$2" ]
}

# Operations that anybody may use, or that check by themselves.
spec_open()
{
	awk '
	/^[a-z-]+:/	{ section = $1 }
	section != "operations:" { next }
	/^      name:/	{ if (op && !perm && handled) print op
			  op = $2; perm = handled = 0 }
	/^      flags: \[ uns-admin-perm \]/ { perm = 1 }
	/^      (do|dump):/	{ handled = 1 }
	END	{ if (op && !perm && handled) print op }
	' "$1" | sort
}

module_open()
{
	awk '
	function done() {
		if (op && !perm)
			print op
		op = ""
	}
	/^static const struct genl_ops/	{ on = 1 }
	!on		{ next }
	/OP\(|\.cmd =/	{
		done()
		op = tolower($0)
		sub(/.*(op\(|vnimesh_cmd_)/, "", op)
		sub(/,.*/, "", op)
		gsub(/_/, "-", op)
		perm = 0
	}
	/GENL_UNS_ADMIN_PERM/	{ perm = 1 }
	/^};/		{ done(); exit }
	' "$1" | sort
}

# OPERATION ATTRIBUTE for all that a request may carry.
spec_requests()
{
	awk '
	/^[a-z-]+:/	{ section = $1 }
	section != "operations:" { next }
	/^      name:/		{ op = $2 }
	/^        request:/	{ request = 1 }
	/^        reply:/	{ request = 0 }
	/^      (event|notify):/	{ request = 0 }
	/attributes: \[/	{ list = request }
	list {
		line = $0
		sub(/.*\[/, "", line)
		gsub(/[],]/, " ", line)
		n = split(line, word)
		for (i = 1; i <= n; i++)
			print op, word[i]
	}
	/\]/			{ list = 0 }
	' "$1" | sort -u
}

# The same from the tables of the module; VNIMESH_POLICY_ROW is five of them.
module_requests()
{
	awk '
	function attribute(name) {
		sub(/^VNIMESH_A_[A-Z]+_/, "", name)
		name = tolower(name)
		gsub(/_/, "-", name)
		print op, name
	}
	/^const struct nla_policy vnimesh_nl_[a-z_]+_policy\[\]/ {
		op = $4
		sub(/^vnimesh_nl_/, "", op)
		sub(/_policy.*/, "", op)
		gsub(/_/, "-", op)
		on = 1
		next
	}
	/^};/	{ on = 0 }
	!on || /NLA_REJECT/	{ next }
	/VNIMESH_POLICY_ROW/ {
		split("ORIGIN SOURCE EPOCH SEQ GEN", row, " ")
		for (i in row)
			attribute("VNIMESH_A_X_" row[i])
	}
	/^\t\[VNIMESH_A_/ {
		name = $1
		gsub(/[][]/, "", name)
		attribute(name)
	}
	' "$@" | sort -u
}

same_as_module()
{
	diff -u --label module --label specification \
		<("module_$1" "${@:2}") <("spec_$1" "$spec")
}

check "specification names many things" many names 200
check "enums, attributes and commands agree with the header" same names
check "specification has constants" many numbers 8
check "constants agree with the header" same numbers
check "multicast groups agree with the header" same groups
check_is "nothing refers to what is not there" "" "$(spec_dangling "$spec")"
check_is "resolve and vni-get alone do not need privilege" "resolve vni-get" \
	"$(spec_open "$spec" | xargs)"
check "the module asks for the same privilege" \
	same_as_module open kmod/netlink.c
check "requests have many attributes" many requests 80
check "policies of the module take the same attributes" \
	same_as_module requests kmod/nl_*.c
check "kernel-policy is per-op" grep -qx 'kernel-policy: per-op' "$spec"

# The test itself must notice: break a copy.
broken=$work/broken.yaml
sed '0,/name: hold-max/s//name: hold-min/' "$spec" > "$broken"
check_fails "a renamed attribute is noticed" \
	diff -q <(header_names "$header") <(spec_names "$broken")
sed '0,/nested-attributes: port/s//nested-attributes: harbour/' "$spec" > "$broken"
check_is "a lost set is noticed" "set harbour" "$(spec_dangling "$broken")"
