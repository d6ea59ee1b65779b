# Reads Go's benchmark results and prints what was to be reached beside the median
# of what was: awk -f targets.awk now.txt
/^Benchmark/ {
	name = $1; sub(/-[0-9]+$/, "", name)
	for (i = 3; i < NF; i += 2) { k = name " " $(i+1); n[k]++; v[k, n[k]] = $i + 0 }
}
function median(k,   i, j, t, a, m) {
	m = n[k]; for (i = 1; i <= m; i++) a[i] = v[k, i]
	for (i = 2; i <= m; i++) for (j = i; j > 1 && a[j-1] > a[j]; j--) { t = a[j]; a[j] = a[j-1]; a[j-1] = t }
	return m % 2 ? a[(m+1)/2] : (a[m/2] + a[m/2+1]) / 2
}
function line(what, got, sign, want) {
	ok = sign == ">=" ? got >= want : got <= want
	printf "%s %-58s %10.2f  %s %g\n", ok ? "reached" : "MISSED ", what, got, sign, want
}
function goal(what, k, sign, want) {
	if (k in n) line(what, median(k), sign, want); else printf "absent  %s\n", what
}
END {
	B = "BenchmarkBoot/"
	goal("boots/s of the limit, TLS 1.3", B "tls13 boot:limit", ">=", 0.85)
	goal("boots/s of the limit, TLS 1.2", B "tls12 boot:limit", ">=", 0.85)
	goal("boots/s of the limit, TLS 1.2 resumed", B "tls12resumed boot:limit", ">=", 0.7)
	goal("boots/s of the limit, plain TCP", B "plain boot:limit", ">=", 0.65)
	goal("boots/s of paho's, TLS 1.3", B "tls13 boot:paho", ">=", 1.15)
	goal("boots/s of paho's, TLS 1.2", B "tls12 boot:paho", ">=", 1.15)
	goal("boots/s of paho's, plain TCP", B "plain boot:paho", ">=", 2)
	if (B "plain boot:pahoLess" in n) printf "        of Paho's where it collects as ours does: TLS 1.3 %.2f, TLS 1.2 %.2f, plain TCP %.2f\n", \
		median(B "tls13 boot:pahoLess"), median(B "tls12 boot:pahoLess"), median(B "plain boot:pahoLess")
	goal("CPU of Node's SDK to ours, TLS 1.3", "BenchmarkBootNode node:boot-CPU", ">=", 6)
	goal("bytes a held TLS device, 9,000", "BenchmarkHeld/tls13/9000 B/device", "<=", 17000)
	goal("bytes a held plain device, 9,000", "BenchmarkHeld/plain/9000 B/device", "<=", 7000)
	M = "BenchmarkMemory/"
	goal("s until 100,000 are online over memnet", M "100000 s-until-online", "<=", 30)
	goal("MiB at its peak then", M "100000 MiB-peak", "<=", 2048)
	if (M "100000 MiB-peak" in n) {
		line("bytes allocated a boot, 100,000 to 1,000", median(M "100000 B-allocated/boot") / median(M "1000 B-allocated/boot"), "<=", 1.1)
		line("CPU a boot, 100,000 to 1,000", median(M "100000 µs-CPU/boot") / median(M "1000 µs-CPU/boot"), "<=", 1.25)
	}
	goal("starts/s of 20,000 asked", "BenchmarkArrivals20000 starts/s", ">=", 19900)
	goal("ms late, p99", "BenchmarkArrivals20000 p99-ms-late", "<=", 5)
	if (B "plainWebhook boot-cloud-µs" in n) {
		printf "\nA webhook's call adds %.0f µs of the cloud's CPU and %.0f bytes.\n", \
			median(B "plainWebhook boot-cloud-µs") - median(B "plain boot-cloud-µs"), \
			median(B "plainWebhook boot-cloud-B") - median(B "plain boot-cloud-B")
	}
}
