package doctor

import "time"

// supportEnds says until which day a system gets security updates without a
// contract for longer, and what is to be added; zero when it is not known here.
// The days are those that were announced by November 2026; what the system says
// of itself counts more.
func supportEnds(s System) (until time.Time, more string) {
	if !s.Ends.IsZero() {
		return s.Ends, "says its os-release"
	}
	table, version := linuxSupport[s.ID], s.Version
	if s.ID == "windows" {
		table, more = windowsSupport, "there are paid updates for longer"
		if s.Server {
			table = windowsServerSupport
		}
	}
	have := numbers(version)
	if s.ID == "ubuntu" {
		more = "Ubuntu Pro gets them for longer"
	}
	for _, known := range table {
		want := numbers(known.version)
		if len(have) >= len(want) && !older(have[:len(want)], want) && !older(want, have[:len(want)]) {
			day, err := time.Parse(time.DateOnly, known.until)
			if err != nil {
				panic(err) // a test reads every line
			}
			return day, more
		}
	}
	return time.Time{}, ""
}

// A support line is the beginning of a version, and the last day of it.
type support struct{ version, until string }

// linuxSupport is by the ID of os-release. Debian's days are those of its LTS.
var linuxSupport = map[string][]support{
	"debian": {
		{"8", "2020-06-30"}, {"9", "2022-06-30"}, {"10", "2024-06-30"}, {"11", "2026-08-31"}, {"12", "2028-06-30"}, {"13", "2030-06-30"},
	},
	"ubuntu": {
		{"14.04", "2019-04-25"}, {"16.04", "2021-04-30"}, {"18.04", "2023-05-31"}, {"20.04", "2025-05-29"}, {"22.04", "2027-06-01"},
		{"24.04", "2029-05-31"}, {"24.10", "2025-07-10"}, {"25.04", "2026-01-15"}, {"25.10", "2026-07-09"}, {"26.04", "2031-05-29"},
	},
	"rhel": {
		{"6", "2020-11-30"}, {"7", "2024-06-30"}, {"8", "2029-05-31"}, {"9", "2032-05-31"}, {"10", "2035-05-31"},
	},
	"centos":    {{"6", "2020-11-30"}, {"7", "2024-06-30"}, {"8", "2024-05-31"}, {"9", "2027-05-31"}},
	"rocky":     {{"8", "2029-05-31"}, {"9", "2032-05-31"}, {"10", "2035-05-31"}},
	"almalinux": {{"8", "2029-03-01"}, {"9", "2032-05-31"}, {"10", "2035-05-31"}},
	"ol":        {{"6", "2021-03-31"}, {"7", "2024-12-31"}, {"8", "2029-07-31"}, {"9", "2032-06-30"}},
	"amzn":      {{"2018", "2023-12-31"}, {"2", "2026-06-30"}},
	"sles":      {{"12", "2024-10-31"}, {"15.3", "2022-12-31"}, {"15.4", "2023-12-31"}, {"15.5", "2024-12-31"}, {"15.6", "2025-12-31"}, {"15.7", "2031-07-31"}},
}

// windowsServerSupport and windowsSupport are by build: of editions with
// several days the latest, which is that of the enterprise's.
var (
	windowsServerSupport = []support{
		{"6.1", "2020-01-14"}, {"6.2", "2023-10-10"}, {"6.3", "2023-10-10"},
		{"10.0.14393", "2027-01-12"}, {"10.0.17763", "2029-01-09"}, {"10.0.20348", "2031-10-14"}, {"10.0.26100", "2034-10-10"},
	}
	windowsSupport = []support{
		{"6.1", "2020-01-14"}, {"6.2", "2016-01-12"}, {"6.3", "2023-01-10"},
		{"10.0.14393", "2026-10-13"}, {"10.0.17763", "2029-01-09"}, {"10.0.19044", "2027-01-12"}, {"10.0.19045", "2025-10-14"},
		{"10.0.22000", "2024-10-08"}, {"10.0.22621", "2025-10-14"}, {"10.0.22631", "2026-11-10"},
	}
)
