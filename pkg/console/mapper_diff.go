package console

import "strings"

// mostCompared bounds how many lines are held against each other: the time goes
// with the square.
const mostCompared = 2000

// aroundDiff is how many equal lines are shown around a change.
const aroundDiff = 3

// diffLines says how one text becomes another, line by line, with a few lines
// around each change.
func diffLines(from, to string) []DiffLine {
	a, b := textLines(from), textLines(to)
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	var all []DiffLine
	for _, l := range a[:start] {
		all = append(all, DiffLine{" ", l})
	}
	all = append(all, between(a[start:len(a)-end], b[start:len(b)-end])...)
	for _, l := range a[len(a)-end:] {
		all = append(all, DiffLine{" ", l})
	}
	return excerpt(all)
}

func textLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(visibleLines(strings.ReplaceAll(text, "\t", "    ")), "\n"), "\n")
}

// between finds the longest lines that both have in the same order.
func between(a, b []string) (all []DiffLine) {
	if len(a) > mostCompared || len(b) > mostCompared {
		for _, l := range a {
			all = append(all, DiffLine{"-", l})
		}
		for _, l := range b {
			all = append(all, DiffLine{"+", l})
		}
		return all
	}
	common := make([][]int, len(a)+1) // of the rests from i and j
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			all = append(all, DiffLine{" ", a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			all = append(all, DiffLine{"-", a[i]})
			i++
		default:
			all = append(all, DiffLine{"+", b[j]})
			j++
		}
	}
	return all
}

// excerpt leaves out the equal lines that are far from any change.
func excerpt(all []DiffLine) (shown []DiffLine) {
	near := make([]bool, len(all))
	for i, l := range all {
		if l.Kind == " " {
			continue
		}
		for k := max(0, i-aroundDiff); k <= min(len(all)-1, i+aroundDiff); k++ {
			near[k] = true
		}
	}
	gap := false
	for i, l := range all {
		if !near[i] {
			gap = true
			continue
		}
		if gap && len(shown) > 0 {
			shown = append(shown, DiffLine{"@", "..."})
		}
		gap = false
		shown = append(shown, l)
	}
	return shown
}
