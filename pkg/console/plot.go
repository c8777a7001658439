package console

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A plot is one figure of the overview, ready for its template.
type plot struct {
	Title, Says string // Says: in words, for whoever does not see it
	Keys        []plotKey
	Marks       []plotMark // of the vertical axis
	Hours       []plotMark // of the horizontal one
	Lines       []plotLine
	Dots        []plotMark
	Bars        []plotBar
	Nothing     string // in the place of all, when there is nothing
}

type plotKey struct{ Class, Text string }
type plotLine struct{ Class, D string }
type plotBar struct {
	Class      string
	X, Y, W, H float64
}
type plotMark struct {
	X, Y float64
	Text string
}

// The drawing, in its own units: plotW by plotH, with room for the axes.
const (
	plotW, plotH        = 360.0, 150.0
	plotLeft, plotRight = 58.0, 8.0
	plotTop, plotBottom = 8.0, 22.0
)

func plotX(i int) float64 {
	return plotLeft + (plotW-plotLeft-plotRight)*float64(i)/float64(spans-1)
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// nice is the next round number that is not less.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	size := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5, 10} {
		if v <= m*size*1.0001 {
			return m * size
		}
	}
	return 10 * size
}

// frame begins a plot whose values go from low to high.
func frame(title string, low, high float64, say func(float64) string) (plot, func(v float64) float64) {
	p := plot{Title: title}
	y := func(v float64) float64 {
		return round(plotTop + (plotH-plotTop-plotBottom)*(1-(v-low)/(high-low)))
	}
	for _, v := range []float64{low, (low + high) / 2, high} {
		p.Marks = append(p.Marks, plotMark{X: plotLeft - 6, Y: y(v), Text: say(v)})
	}
	for i, text := range []string{"1 h ago", "45", "30", "15 min", "now"} {
		p.Hours = append(p.Hours, plotMark{X: round(plotX(i * (spans - 1) / 4)), Y: plotH - 6, Text: text})
	}
	return p, y
}

// trace draws values that are there or not: neighbours are joined, and one that
// stands alone is a dot.
func (p *plot) trace(class string, points []Point, of func(Point) (float64, bool), y func(float64) float64) {
	var d strings.Builder
	last := -10
	for i, pt := range points {
		v, ok := of(pt)
		if !ok {
			continue
		}
		x := round(plotX(i))
		_, after := float64(0), false
		for j := i + 1; j < min(len(points), i+3); j++ {
			if _, after = of(points[j]); after {
				break
			}
		}
		switch {
		case i-last <= 2:
			fmt.Fprintf(&d, "L%g %g", x, y(v))
		case after:
			fmt.Fprintf(&d, "M%g %g", x, y(v))
		default:
			p.Dots = append(p.Dots, plotMark{X: x, Y: y(v), Text: class})
		}
		last = i
	}
	if d.Len() > 0 {
		p.Lines = append(p.Lines, plotLine{class, d.String()})
	}
}

// latency is the plot of one stage.
func latency(points []Point, stage int) plot {
	most, asked := time.Duration(0), false
	var last Point
	for _, p := range points {
		most = max(most, p.P99[stage])
		if p.P50[stage] > 0 {
			asked, last = true, p
		}
	}
	title := map[string]string{
		"login": "Whole login", "find": "Find the user", "bind": "Try the password", "groups": "Read the groups", "map": "Map the profile",
	}[PlotStages[stage]]
	if !asked {
		return plot{Title: title, Nothing: "Not asked in this hour."}
	}
	p, y := frame(title, 0, nice(millis(most)), func(v float64) string {
		if v >= 1000 {
			return fmt.Sprintf("%g s", v/1000)
		}
		return fmt.Sprintf("%g ms", v)
	})
	p.Keys = []plotKey{{"p50", "half"}, {"p99", "99 of 100"}}
	p.trace("p99", points, func(p Point) (float64, bool) { return millis(p.P99[stage]), p.P99[stage] > 0 }, y)
	p.trace("p50", points, func(p Point) (float64, bool) { return millis(p.P50[stage]), p.P50[stage] > 0 }, y)
	p.Says = fmt.Sprintf("%s: lately half within %.1f ms, 99 of 100 within %.1f ms; at most %.1f ms in the last hour",
		title, millis(last.P50[stage]), millis(last.P99[stage]), millis(most))
	return p
}

// barSpans is how many spans one bar stands for: two minutes.
const barSpans = 4

// outcomes is the plot of logins by what became of them.
func outcomes(points []Point) plot {
	type bar [3]int
	bars := make([]bar, len(points)/barSpans)
	most, sum := 0, bar{}
	for i, p := range points {
		b := &bars[min(i/barSpans, len(bars)-1)]
		for k, n := range []int{p.Accepted, p.Refused, p.Faulted} {
			b[k] += n
			sum[k] += n
		}
		most = max(most, b[0]+b[1]+b[2])
	}
	if most == 0 {
		return plot{Title: "Logins by outcome", Nothing: "No logins in this hour."}
	}
	p, y := frame("Logins by outcome", 0, max(2, nice(float64(most))), func(v float64) string { return fmt.Sprintf("%g", v) })
	p.Keys = []plotKey{{"accepted", fmt.Sprintf("%d accepted", sum[0])}, {"refused", fmt.Sprintf("%d refused", sum[1])}, {"faulted", fmt.Sprintf("%d faulted", sum[2])}}
	p.Says = fmt.Sprintf("Logins of the last hour: %d accepted, %d refused, %d faulted", sum[0], sum[1], sum[2])
	w := (plotW - plotLeft - plotRight) / float64(len(bars))
	for i, b := range bars {
		base := 0
		for k, class := range []string{"accepted", "refused", "faulted"} {
			if b[k] == 0 {
				continue
			}
			top := y(float64(base + b[k]))
			p.Bars = append(p.Bars, plotBar{class, round(plotLeft + w*float64(i) + 1), top, round(w - 2), round(y(float64(base)) - top)})
			base += b[k]
		}
	}
	return p
}

// clock is the plot of how far the tenant's clock is ahead.
func clock(points []Point) plot {
	most, measured := 0.0, false
	var last time.Duration
	for _, p := range points {
		if p.Measured {
			measured, last = true, p.Clock
			most = max(most, math.Abs(p.Clock.Seconds()))
		}
	}
	if !measured {
		return plot{Title: "Clock", Nothing: "Not compared in this hour."}
	}
	unit, scale := "ms", 1000.0
	if most >= 2 {
		unit, scale = "s", 1
	}
	high := nice(max(most*scale, 0.01))
	p, y := frame("Tenant's clock, from this machine's", -high, high, func(v float64) string { return fmt.Sprintf("%+g %s", v, unit) })
	p.Marks[1].Text = "0"
	p.trace("p50", points, func(p Point) (float64, bool) { return p.Clock.Seconds() * scale, p.Measured }, y)
	p.Says = fmt.Sprintf("The tenant's clock is lately %+.0f ms from this machine's", float64(last)/float64(time.Millisecond))
	return p
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
