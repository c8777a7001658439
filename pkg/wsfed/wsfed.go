// Package wsfed signs users in through the browser: it serves the passive
// endpoints of WS-Federation, proves users by what the browser offers or by a
// form, and posts a signed assertion to the tenant.
package wsfed
