# SPDX-License-Identifier: GPL-2.0
#
# Count the results of a KTAP stream: prints "PASSED FAILED SKIPPED".
#
# Results are counted where they are made, at the leaves: a line with others
# nested below it says nothing new, unless it fails and none of them did. A plan
# that is not kept, "Bail out!" and no result at all are failures too.

function depth(line) { match(line, /^[ \t]*/); return RLENGTH }

function close_below(d,	i)
{
	# What was nested deeper than this line belongs to it.
	for (i in kids) if (i + 0 > d) { nested_kids += kids[i]; nested_failed += failed_kids[i]; delete kids[i]; delete failed_kids[i] }
	for (i in planned) if (i + 0 > d) {
		if (planned[i] != seen[i] + 0) { failed++; nested_failed++; why("planned " planned[i] " tests, saw " seen[i] + 0) }
		delete planned[i]; delete seen[i]
	}
}

function why(text) { print "# ktap: " text >"/dev/stderr" }

{ sub(/\r$/, "") }

/^[ \t]*(not )?ok [0-9]+/ {
	d = depth($0)
	nested_kids = nested_failed = 0
	close_below(d)
	seen[d]++
	bad = $0 ~ /^[ \t]*not ok/
	skip = $0 ~ /# *SKIP/
	todo = $0 ~ /# *TODO/
	if (nested_kids == 0) {
		if (bad && !todo) failed++
		else if (skip || todo) skipped++
		else passed++
	} else if (bad && nested_failed == 0) {
		failed++
		why("fails though nothing in it did: " $0)
	}
	kids[d]++
	if (bad || nested_failed) failed_kids[d]++
	next
}

/^[ \t]*1\.\.[0-9]+/ {
	d = depth($0)
	split($0, p, /\.\./)
	close_below(d)
	planned[d] = p[2] + 0
	# A plan may come last, too.
	next
}

# Several programs one after the other, each with a plan of its own.
/^[ \t]*K?TAP version/ {
	d = depth($0)
	nested_kids = nested_failed = 0
	close_below(d - 1)
	next
}

/^[ \t]*Bail out!/ { failed++; why($0) }

END {
	nested_kids = nested_failed = 0
	close_below(-1)
	if (passed + failed + skipped == 0) { failed = 1; why("no result at all") }
	printf "%d %d %d\n", passed, failed, skipped
}
