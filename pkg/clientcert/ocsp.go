package clientcert

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// askOCSP asks a responder about a certificate (RFC 6960), and returns until
// when its answer holds.
func (f *fetcher) askOCSP(ctx context.Context, url string, cert, issuer *x509.Certificate, now time.Time) (s status, until time.Time, err error) {
	request, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		return unknown, time.Time{}, err
	}
	data, err := f.get(ctx, url, request, "application/ocsp-request", maxOCSP)
	if err != nil {
		return unknown, time.Time{}, err
	}
	return readOCSP(data, cert, issuer, now)
}

func readOCSP(data []byte, cert, issuer *x509.Certificate, now time.Time) (s status, until time.Time, err error) {
	answer, err := ocsp.ParseResponseForCert(data, cert, issuer)
	switch {
	case err != nil:
		return unknown, time.Time{}, fmt.Errorf("the responder's answer: %.200s", err.Error())
	// What the authority has issued to a user does not speak for it.
	case answer.Certificate != nil && !answer.Certificate.Equal(issuer) && !responder(answer.Certificate, now):
		return unknown, time.Time{}, errors.New("the responder's certificate is not for OCSP")
	case answer.ThisUpdate.After(now.Add(clockSkew)):
		return unknown, time.Time{}, errors.New("the responder's answer is not valid yet")
	case !answer.NextUpdate.IsZero() && now.After(answer.NextUpdate.Add(clockSkew)):
		return unknown, time.Time{}, errors.New("the responder's answer is out of date")
	case answer.NextUpdate.IsZero() && now.Sub(answer.ThisUpdate) > 24*time.Hour:
		return unknown, time.Time{}, errors.New("the responder's answer is old")
	}
	switch answer.Status {
	case ocsp.Good:
		return good, answer.NextUpdate, nil
	case ocsp.Revoked:
		return revoked, answer.NextUpdate, nil
	}
	return unknown, time.Time{}, errors.New("the responder does not know the certificate")
}

func responder(c *x509.Certificate, now time.Time) bool {
	return slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) && !now.Before(c.NotBefore) && !now.After(c.NotAfter)
}
