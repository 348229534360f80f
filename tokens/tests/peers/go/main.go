// A program that uses golang.org/x/oauth2, as its documentation says; with go-oidc for discovery and ID tokens, which
// x/oauth2 leaves to others. It reads a task as a line of JSON, and says what came of it the same way.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

type task struct {
	What        string            `json:"what"`
	Issuer      string            `json:"issuer"`
	CA          string            `json:"ca"`
	Client      string            `json:"client"`
	Method      string            `json:"method"`
	Secret      string            `json:"secret"`
	Key         string            `json:"key"`
	Algorithm   string            `json:"algorithm"`
	KeyID       string            `json:"kid"`
	Certificate string            `json:"certificate"`
	Grant       string            `json:"grant"`
	Parameters  map[string]string `json:"parameters"`
	Redirect    string            `json:"redirect"`
	Refused     bool              `json:"refused"`
}

var lines = bufio.NewReader(os.Stdin)

func hear(what any) error {
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, what)
}

func say(what any) error {
	return json.NewEncoder(os.Stdout).Encode(what)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var task task
	if err := hear(&task); err != nil {
		return err
	}
	client, err := task.http()
	if err != nil {
		return err
	}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, client)
	provider, err := oidc.NewProvider(ctx, task.Issuer)
	if err != nil {
		return err
	}
	var done map[string]any
	switch task.What {
	case "machine":
		done, err = task.machine(ctx, provider)
	case "user":
		done, err = task.user(ctx, provider)
	default:
		err = fmt.Errorf("no such task: %s", task.What)
	}
	if err != nil {
		return err
	}
	return say(map[string]any{"done": done})
}

// http is a client that trusts the service, and shows a certificate if there is one.
func (t *task) http() (*http.Client, error) {
	ca, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots}
	if t.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Certificate)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}, nil
}

// assertion proves the client (RFC 7523), which x/oauth2 leaves to the program.
func (t *task) assertion() (string, error) {
	block, _ := pem.Decode([]byte(t.Key))
	if block == nil {
		return "", errors.New("the key is no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if t.KeyID != "" {
		options = options.WithHeader("kid", t.KeyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(t.Algorithm), Key: key}, options)
	if err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer:   t.Client,
		Subject:  t.Client,
		Audience: jwt.Audience{t.Issuer},
		ID:       rand.Text(),
		IssuedAt: jwt.NewNumericDate(now),
		Expiry:   jwt.NewNumericDate(now.Add(time.Minute)),
	}).Serialize()
}

// style leaves the choice to the library where it can be found out.
func (t *task) style() oauth2.AuthStyle {
	switch t.Method {
	case "client_secret_basic":
		return oauth2.AuthStyleInHeader
	case "client_secret":
		return oauth2.AuthStyleAutoDetect
	default:
		return oauth2.AuthStyleInParams
	}
}

func (t *task) machine(ctx context.Context, provider *oidc.Provider) (map[string]any, error) {
	config := clientcredentials.Config{
		ClientID:       t.Client,
		ClientSecret:   t.Secret,
		TokenURL:       provider.Endpoint().TokenURL,
		AuthStyle:      t.style(),
		EndpointParams: url.Values{},
	}
	if t.Grant != "client_credentials" {
		config.EndpointParams.Set("grant_type", t.Grant)
	}
	for name, value := range t.Parameters {
		if name == "scope" {
			config.Scopes = []string{value}
		} else {
			config.EndpointParams.Set(name, value)
		}
	}
	if t.Method == "private_key_jwt" {
		assertion, err := t.assertion()
		if err != nil {
			return nil, err
		}
		config.EndpointParams.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		config.EndpointParams.Set("client_assertion", assertion)
	}
	token, err := config.Token(ctx)
	if t.Refused {
		code, err := refusal(token, err)
		return map[string]any{"refused": code}, err
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"tokens": told(token)}, nil
}

func told(token *oauth2.Token) map[string]any {
	return map[string]any{
		"access_token":      token.AccessToken,
		"token_type":        token.TokenType,
		"refresh_token":     token.RefreshToken,
		"expires_in":        token.Extra("expires_in"),
		"scope":             token.Extra("scope"),
		"issued_token_type": token.Extra("issued_token_type"),
	}
}

func (t *task) user(ctx context.Context, provider *oidc.Provider) (map[string]any, error) {
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = t.style()
	config := oauth2.Config{ClientID: t.Client, Endpoint: endpoint, RedirectURL: t.Redirect, Scopes: []string{t.Parameters["scope"]}}
	verifier, state, nonce := oauth2.GenerateVerifier(), rand.Text(), rand.Text()
	visit := config.AuthCodeURL(state, oauth2.AccessTypeOffline, oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce),
		oauth2.SetAuthURLParam("resource", t.Parameters["resource"]))
	if err := say(map[string]any{"visit": visit}); err != nil {
		return nil, err
	}
	var back struct{ Landed string }
	if err := hear(&back); err != nil {
		return nil, err
	}
	landed, err := url.Parse(back.Landed)
	if err != nil {
		return nil, err
	}
	if landed.Query().Get("state") != state || landed.Query().Get("iss") != t.Issuer {
		return nil, fmt.Errorf("the answer is not to this request: %s", landed.Query().Get("error"))
	}
	token, err := config.Exchange(ctx, landed.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: t.Client}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if idToken.Nonce != nonce {
		return nil, errors.New("the ID token is of another sign-in")
	}
	var claims map[string]any
	if err := idToken.Claims(&claims); err != nil {
		return nil, err
	}
	refresh := func(token string) (*oauth2.Token, error) {
		return config.TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
	}
	next, err := refresh(token.RefreshToken)
	if err != nil {
		return nil, err
	}
	// A client that shows the token, by itself.
	userInfo, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(next))
	if err != nil {
		return nil, err
	}
	reused, err := refusal(refresh(token.RefreshToken))
	if err != nil {
		return nil, err
	}
	dead, err := refusal(refresh(next.RefreshToken))
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"url": visit, "tokens": told(token), "claims": claims, "next": told(next), "reused": reused, "dead": dead,
		"userinfo": map[string]any{"sub": userInfo.Subject},
	}, nil
}

// refusal is the error code of a request that is to be refused.
func refusal(_ *oauth2.Token, err error) (string, error) {
	if err == nil {
		return "", errors.New("it was not refused")
	}
	var told *oauth2.RetrieveError
	if errors.As(err, &told) {
		return told.ErrorCode, nil
	}
	return "", err
}
