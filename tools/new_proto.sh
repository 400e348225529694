#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Starts a protocol parser: user/proto/NAME.c that compiles and passes, its row in
# include/redtap/protocols.def, and tests/proto/NAME/ with a first transcript.
#
#   tools/new_proto.sh NAME [TITLE]     e.g. tools/new_proto.sh nats NATS
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
	echo "usage: tools/new_proto.sh NAME [TITLE]   (NAME: a-z, then up to 11 of a-z 0-9 _)" >&2
	exit 2
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	usage
fi
name=$1
title=${2:-$1}
[[ $name =~ ^[a-z][a-z0-9_]{1,11}$ ]] || usage
[[ $title =~ ^[A-Za-z0-9][A-Za-z0-9\ _./+-]{0,31}$ ]] || {
	echo "new_proto.sh: the title may hold letters, digits, blanks and _./+-" >&2
	exit 2
}

table=include/redtap/protocols.def
source=user/proto/$name.c
folder=tests/proto/$name
if grep -Eq "^PROTO\([0-9]+, $name," $table || [ -e "$source" ] || [ -e "$folder" ]; then
	echo "new_proto.sh: $name is there already" >&2
	exit 1
fi
id=$(($(sed -nE 's/^PROTO\(([0-9]+),.*/\1/p' $table | sort -n | tail -1) + 1))
if [ "$id" -gt 255 ]; then
	echo "new_proto.sh: no id is left in $table" >&2
	exit 1
fi
word=${name^^} # the example protocol's requests begin with this word and a blank

cat >"$source" <<END
// SPDX-License-Identifier: Apache-2.0
/*
 * $title. Called by the ring consumer through the protocol table.
 * Specification: put its address and the wire layout here. What stands below
 * reads a made-up protocol, to be replaced piece by piece:
 *
 *   request  = "$word" SP resource CRLF
 *   response = line CRLF
 */
#include "proto/proto.h"
#include "util/cur.h"

/* The first bytes that tell this protocol from all others, special before
 * general; mask bytes say which bits count (include/redtap/sigmatch.h). */
static const struct rt_sig ${name}_sigs[] = {
	{
		.value = "$word ",
		.mask = "$(printf '\\xff%.0s' $(seq $((${#word} + 1))))",
		.len = $((${#word} + 1)),
		.proto = RT_PROTO_${name},
		.kind = RT_SIG_REQUEST,
	},
};

static enum rt_parse ${name}_request(const struct rt_view *v, struct rt_op *op)
{
	static const char word[] = "$word ";
	struct rt_cur c = rt_cur_init(v->req);
	u32 n = v->req.len < sizeof(word) - 1 ? v->req.len : sizeof(word) - 1;
	bool cut = v->req.len < v->req_bytes;
	struct rt_slice line;

	if (n && memcmp(v->req.p, word, n) != 0)
		return RT_PARSE_BAD;
	if (!rt_cur_line(&c, &line)) {
		if (!cut || v->req.len <= n)
			return RT_PARSE_MORE;
		line = v->req;
		line.len -= rt_slice_ends(line, "\\r");
		op->path_cut = true;
	}
	if (line.len <= n)
		return RT_PARSE_BAD;
	op->method = (struct rt_slice){line.p, n - 1};
	op->target = op->path = rt_slice_skip(line, n);
	op->req_framing = op->path_cut ? RT_FRAMING_UNKNOWN : RT_FRAMING_COMPLETE;
	return RT_PARSE_OK;
}

static u8 ${name}_response(const struct rt_view *v)
{
	struct rt_cur c = rt_cur_init(v->resp);
	struct rt_slice line;

	if (rt_cur_line(&c, &line))
		return RT_FRAMING_COMPLETE;
	return v->resp.len < v->resp_bytes ? RT_FRAMING_UNKNOWN : RT_FRAMING_PARTIAL;
}

static enum rt_parse ${name}_parse(const struct rt_view *view, struct rt_op *ret_op)
{
	struct rt_op op = {0};
	enum rt_parse r = ${name}_request(view, &op);

	if (r == RT_PARSE_OK)
		op.resp_framing = ${name}_response(view);
	else
		op = (struct rt_op){0};
	*ret_op = op;
	return r;
}

const struct rt_proto rt_proto_${name} = {
	.id = RT_PROTO_${name},
	.name = "$name",
	.sigs = ${name}_sigs,
	.nr_sigs = RT_ARRAY_SIZE(${name}_sigs),
	.parse = ${name}_parse,
};
END

echo "PROTO($id, $name, \"$title\", 0)" >>$table

mkdir -p "$folder"
cat >"$folder/001-first.txt" <<END
# One request and its answer. The format is described in tests/proto/README.md.
> $word thing\\r\\n
< fine\\r\\n
result ok
method $word
path thing
version 0
status 0
req_framing complete
resp_framing complete
END
cat >"$folder/901-another-protocol.txt" <<END
# Must be refused.
> \\x00\\x01$word thing\\r\\n
result bad
signature none
END

cat <<END
Written:
  $source
  $folder/001-first.txt, 901-another-protocol.txt
  row $id in $table

Next:
  1. Put the specification into the comment that opens $source.
  2. Write the signatures, then the parser, against transcripts in $folder
     (each by the specification; 9xx for hostile bytes).
  3. make unit check fuzz
END
