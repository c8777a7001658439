package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// StartChrony starts a real time server that serves this machine's clock,
// shifted, and returns its address. It never sets a clock (-x). Shifts of less
// than a second come out halved: the server trusts the kernel's own stamps when
// they are that near. An unsynchronised one has no time to give.
func StartChrony(t testing.TB, shift time.Duration, synchronised bool) string {
	t.Helper()
	const library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
	need(t, "chronyd", "/usr/sbin/chronyd")
	need(t, "faketime", library)
	needRoot(t, "chronyd is for root")
	dir := t.TempDir()
	source := "local stratum 8\n"
	if !synchronised {
		source = ""
	}
	port := freeUDPPort(t)
	conf := filepath.Join(dir, "chrony.conf")
	text := fmt.Sprintf("%sallow 127.0.0.1\nbindaddress 127.0.0.1\nport %d\ncmdport 0\nbindcmdaddress /\npidfile %s/chronyd.pid\n", source, port, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/sbin/chronyd", "-x", "-u", "root", "-d", "-f", conf)
	if shift != 0 {
		cmd.Env = append(os.Environ(), "LD_PRELOAD="+library, fmt.Sprintf("FAKETIME=%+ds", int(shift.Seconds())))
	}
	p := startCommand(t, cmd)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("chronyd said:\n%s", p.said)
		}
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	Eventually(t, "chronyd to answer", func() bool {
		if p.ended() {
			t.Fatalf("chronyd ended:\n%s", p.said)
		}
		return answersNTP(address)
	})
	return address
}

// answersNTP asks a time server anything.
func answersNTP(address string) bool {
	c, err := net.Dial("udp", address)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }() // the answer has come, or not
	question := make([]byte, ntpSize)
	question[0] = 4<<3 | 3 // version 4, a client
	if _, err := c.Write(question); err != nil {
		return false
	}
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)) // a socket takes one
	n, err := c.Read(question)
	return err == nil && n >= ntpSize
}

func freeUDPPort(t testing.TB) int {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // nobody has written
	return c.LocalAddr().(*net.UDPAddr).Port
}

// An NTPAnswer is what a fake time server says (RFC 5905, section 7.3).
type NTPAnswer struct {
	Offset         time.Duration // its clock minus this machine's
	Stratum        byte          // 0: Code says why there is no time
	Leap           byte          // 3: not synchronised
	Code           string        // RATE, DENY, INIT, or where the time is from
	RootDelay      time.Duration
	RootDispersion time.Duration
	Lost           int  // how many questions it does not hear first
	Garbage        bool // it answers no NTP at all
	Foreign        bool // it answers another question
}

const (
	ntpSize  = 48
	ntpEpoch = 2_208_988_800 // 1970 in the seconds of NTP, which begin in 1900
)

// FakeNTP starts a time server that says what the test wants, and returns its
// address, and how often it was asked.
func FakeNTP(t testing.TB, a NTPAnswer) (address string, asked func() int) {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	var mu sync.Mutex
	heard := 0
	go func() {
		question := make([]byte, 1024)
		for {
			n, from, err := c.ReadFromUDP(question)
			if err != nil {
				return // the test has ended
			}
			mu.Lock()
			heard++
			lost := heard <= a.Lost
			mu.Unlock()
			if lost || n < ntpSize {
				continue
			}
			_, _ = c.WriteToUDP(a.answer(question[:ntpSize]), from) // who asked waits, or has gone
		}
	}()
	return c.LocalAddr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return heard
	}
}

func (a NTPAnswer) answer(question []byte) []byte {
	if a.Garbage {
		return []byte("220 this is no time server\r\n")
	}
	now := time.Now().Add(a.Offset)
	b := make([]byte, ntpSize)
	b[0] = a.Leap<<6 | 4<<3 | 4 // version 4, a server
	b[1], b[2], b[3] = a.Stratum, 6, 0xEC
	binary.BigEndian.PutUint32(b[4:], shortNTP(a.RootDelay))
	binary.BigEndian.PutUint32(b[8:], shortNTP(a.RootDispersion))
	copy(b[12:16], a.Code)
	binary.BigEndian.PutUint64(b[16:], longNTP(now.Add(-time.Minute)))
	copy(b[24:32], question[40:48])
	if a.Foreign {
		b[24] ^= 0xff
	}
	binary.BigEndian.PutUint64(b[32:], longNTP(now))
	binary.BigEndian.PutUint64(b[40:], longNTP(now))
	return b
}

// shortNTP and longNTP write fixed-point seconds, of 16 and of 32 bits.
func shortNTP(d time.Duration) uint32 { return uint32(d.Seconds() * (1 << 16)) }

func longNTP(t time.Time) uint64 {
	return uint64(t.Unix()+ntpEpoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}
