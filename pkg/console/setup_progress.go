package console

import (
	"context"
	"slices"
	"sync"

	"ad-ldap-connector/pkg/agent"
)

// install begins the plan. It goes on whatever becomes of the page.
func (c *console) install(v *visit) error {
	b, id := c.beginning(v)
	defer b.mu.Unlock()
	s := c.options.Configuration.Setup
	if b.checks == nil || s == nil && b.plan == nil {
		return c.begunAgain(v)
	}
	blocked, ended := b.checks.verdict()
	despite := v.r.PostFormValue("anyway") == "yes"
	if !ended || blocked && !despite {
		v.flash(flashWarn, "Nothing was set up: the checks have not passed.")
		return v.redirect("/configuration/agree?draft=" + id)
	}
	if running := b.plan; running == nil || running.failed() {
		answers := b.answers
		answers.DespiteChecks = despite
		b.plan = plan(func(ctx context.Context, say func(SetupStep)) error { return s.Install(ctx, answers, say) })
		v.audit("configuration.install", "accepted", "PROVISIONING_TICKET", "LDAP_URL", "LDAP_BASE", "LDAP_BIND_USER")
	}
	return v.redirect("/configuration/progress?draft=" + id)
}

// A progressPage is the template's.
type progressPage struct {
	Draft   string
	CSRF    string
	Steps   []SetupStep
	Running bool
	Err     string
	Parts   []agent.Health // of the connector that has begun
	Ready   bool           // the hub has accepted it, and it reaches the directory
}

func (c *console) progress(v *visit) (progressPage, bool) {
	b, id := c.beginning(v)
	defer b.mu.Unlock()
	if b.plan == nil {
		return progressPage{}, false
	}
	p := b.plan.page(id)
	p.CSRF = v.session.token
	if p.Running || p.Err != "" {
		return p, true
	}
	ready := 0
	for _, h := range c.options.Health() {
		if h.Part == "hub" || h.Part == "directory" || h.Part == "mapper" {
			p.Parts = append(p.Parts, h)
			if h.State == agent.OK {
				ready++
			}
		}
	}
	p.Ready = ready == 3
	p.Running = !p.Ready
	return p, true
}

func (c *console) showProgress(v *visit) error {
	p, ok := c.progress(v)
	if !ok {
		return c.begunAgain(v)
	}
	return v.show("setup_progress", p)
}

func (c *console) showSteps(v *visit) error {
	p, ok := c.progress(v)
	if !ok {
		return notFound()
	}
	return v.part("setup_progress", "steps", p)
}

// A planning is a plan at work.
type planning struct {
	mu    sync.Mutex
	steps []SetupStep
	ended bool
	err   string
}

func plan(run func(context.Context, func(SetupStep)) error) *planning {
	p := &planning{}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), setupTakes)
		defer cancel()
		err := run(ctx, p.say)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ended = true
		if err != nil {
			p.err = spoken(err)
		}
	}()
	return p
}

// say notes how a step goes.
func (p *planning) say(s SetupStep) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.steps, func(have SetupStep) bool { return have.Name == s.Name }); i >= 0 {
		p.steps[i] = s
		return
	}
	p.steps = append(p.steps, s)
}

func (p *planning) failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended && p.err != ""
}

func (p *planning) page(id string) progressPage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return progressPage{Draft: id, Steps: slices.Clone(p.steps), Running: !p.ended, Err: p.err}
}
