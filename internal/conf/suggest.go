package conf

// suggest finds the known key nearest to name, at most two edits away, "" when
// there is none. Among equally near ones the first in name order wins.
func suggest(name string, keys []*Key) string {
	best, dist := "", 3
	for _, k := range keys {
		if k.Hidden {
			continue
		}
		if d := editDistance(name, k.Name, dist); d < dist {
			best, dist = k.Name, d
		}
	}
	return best
}

// didYouMean is the sentence of a suggestion, with its leading blank.
func didYouMean(name string, keys []*Key) string {
	if s := suggest(name, keys); s != "" {
		return "did you mean " + s + "?"
	}
	return ""
}

// editDistance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn a into b; it gives up at limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
			least = min(least, cur[j])
		}
		if least >= limit {
			return limit
		}
		before, prev, cur = prev, cur, before
	}
	return min(prev[len(b)], limit)
}
