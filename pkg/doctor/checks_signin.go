package doctor

// SignIn is what the checks may ask of sign-in in the browser.
type SignIn struct{}

var signinChecks = []Check{}
