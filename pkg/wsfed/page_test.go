package wsfed

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// luminance is that of WCAG 2 for a colour like #1b1f24 or #fff.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	hex := strings.TrimPrefix(colour, "#")
	if len(hex) == 3 {
		hex = strings.Join([]string{hex[:1], hex[:1], hex[1:2], hex[1:2], hex[2:], hex[2:]}, "")
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// TestContrast has the pages' colours be told apart by people who see little:
// WCAG 2.1, levels AA, 1.4.3 for text and 1.4.11 for what is to be used.
func TestContrast(t *testing.T) {
	t.Parallel()
	themes := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllStringSubmatch(style, -1)
	if len(themes) != 2 {
		t.Fatalf("%d themes", len(themes))
	}
	for i, theme := range themes {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]+);`).FindAllStringSubmatch(theme[1], -1) {
			colours[m[1]] = m[2]
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"text", "card", 4.5}, {"text", "ground", 4.5}, {"quiet", "card", 4.5}, {"bad", "card", 4.5}, {"on-act", "act", 4.5},
			{"line", "card", 3}, {"line", "ground", 3}, {"act", "card", 3},
		} {
			if colours[pair.front] == "" || colours[pair.back] == "" {
				t.Fatalf("theme %d has no %s or %s", i, pair.front, pair.back)
			}
			a, b := luminance(t, colours[pair.front]), luminance(t, colours[pair.back])
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < pair.least {
				t.Errorf("theme %d: %s on %s has %.2f of %.1f", i, pair.front, pair.back, ratio, pair.least)
			}
		}
	}
}
