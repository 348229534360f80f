//! The SPIFFE Workload API (SPIFFE Workload API standard).

use std::collections::HashMap;
use std::sync::Arc;

use countersign_identity::{Bundle, Bundles};
use futures::stream::{self, BoxStream, StreamExt as _};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status};

use super::desk::{Desk, first_bundles, uid};
use super::pods::LocalPod;
use super::proto::spiffe_workload_api_server::SpiffeWorkloadApi;
use super::proto::{
    JwtBundlesRequest, JwtBundlesResponse, Jwtsvid, JwtsvidRequest, JwtsvidResponse, ValidateJwtsvidRequest,
    ValidateJwtsvidResponse, X509BundlesRequest, X509BundlesResponse, X509svid, X509svidRequest, X509svidResponse,
};
use super::refusal::Refusal;
use super::request;
use super::signer::Signer;
use super::updates::{Updates, View};

/// The service. Clones are of one.
pub struct WorkloadApi<S>(pub Arc<Desk<S>>);

type Streamed<T> = BoxStream<'static, Result<T, Status>>;

#[tonic::async_trait]
impl<S: Signer> SpiffeWorkloadApi for WorkloadApi<S> {
    type FetchX509SVIDStream = Streamed<X509svidResponse>;

    async fn fetch_x509svid(
        &self,
        request: Request<X509svidRequest>,
    ) -> Result<Response<Self::FetchX509SVIDStream>, Status> {
        self.follow("FetchX509SVID", request, true, x509_svids).await
    }

    type FetchX509BundlesStream = Streamed<X509BundlesResponse>;

    async fn fetch_x509_bundles(
        &self,
        request: Request<X509BundlesRequest>,
    ) -> Result<Response<Self::FetchX509BundlesStream>, Status> {
        self.follow("FetchX509Bundles", request, false, x509_bundles).await
    }

    async fn fetch_jwtsvid(&self, request: Request<JwtsvidRequest>) -> Result<Response<JwtsvidResponse>, Status> {
        let outcome = self.jwt_svids(&request).await;
        self.answer("FetchJWTSVID", request.extensions(), outcome)
    }

    type FetchJWTBundlesStream = Streamed<JwtBundlesResponse>;

    async fn fetch_jwt_bundles(
        &self,
        request: Request<JwtBundlesRequest>,
    ) -> Result<Response<Self::FetchJWTBundlesStream>, Status> {
        self.follow("FetchJWTBundles", request, false, jwt_bundles).await
    }

    async fn validate_jwtsvid(
        &self,
        request: Request<ValidateJwtsvidRequest>,
    ) -> Result<Response<ValidateJwtsvidResponse>, Status> {
        let outcome = self.validate(&request).await;
        self.answer("ValidateJWTSVID", request.extensions(), outcome)
    }
}

impl<S: Signer> WorkloadApi<S> {
    fn answer<T>(
        &self,
        call: &'static str,
        extensions: &Extensions,
        outcome: Result<T, Refusal>,
    ) -> Result<Response<T>, Status> {
        outcome
            .map(Response::new)
            .map_err(|refusal| self.0.refuse(call, uid(extensions), refusal))
    }

    async fn caller(&self, metadata: &MetadataMap, extensions: &Extensions) -> Result<Arc<LocalPod>, Refusal> {
        request::check_header(metadata)?;
        self.0.pod(extensions).await
    }

    /// Sends what a Pod has, and again whenever that changes.
    async fn follow<Q, T>(
        &self,
        call: &'static str,
        request: Request<Q>,
        with_svid: bool,
        render: fn(&View) -> T,
    ) -> Result<Response<Streamed<T>>, Status>
    where
        Q: Send + Sync,
        T: Clone + PartialEq + Send + 'static,
    {
        let begun = async {
            let pod = self.caller(request.metadata(), request.extensions()).await?;
            let mut updates = Updates::new(&self.0, with_svid.then_some(&pod));
            let first = render(&updates.first().await?);
            Ok((first, updates, pod))
        };
        let (first, updates, pod) = match begun.await {
            Ok(begun) => begun,
            Err(refusal) => return self.answer(call, request.extensions(), Err(refusal)),
        };
        let desk = Arc::clone(&self.0);
        let later = stream::unfold(Some((first.clone(), updates)), move |state| {
            let (desk, pod) = (Arc::clone(&desk), Arc::clone(&pod));
            async move {
                let (sent, mut updates) = state?;
                loop {
                    match updates.next().await {
                        Ok(view) => {
                            let message = render(&view);
                            if message != sent {
                                return Some((Ok(message.clone()), Some((message, updates))));
                            }
                        }
                        Err(refusal) => return Some((Err(desk.refuse(call, Some(&pod.uid), refusal)), None)),
                    }
                }
            }
        });
        let all = stream::once(async move { Ok(first) }).chain(later);
        Ok(Response::new(all.boxed()))
    }

    async fn jwt_svids(&self, request: &Request<JwtsvidRequest>) -> Result<JwtsvidResponse, Refusal> {
        let pod = self.caller(request.metadata(), request.extensions()).await?;
        let audiences = request::audiences(request.get_ref())?;
        let desk = &self.0;
        let token = desk
            .tokens
            .of(desk.svids.signer(), &pod, &audiences)
            .await
            .map_err(Refusal::from)?;
        request::check_id(request.get_ref(), &token.spiffe_id)?;
        Ok(JwtsvidResponse {
            svids: vec![Jwtsvid {
                spiffe_id: token.spiffe_id.clone(),
                svid: token.text.to_string(),
                hint: String::new(),
            }],
        })
    }

    async fn validate(&self, request: &Request<ValidateJwtsvidRequest>) -> Result<ValidateJwtsvidResponse, Refusal> {
        self.caller(request.metadata(), request.extensions()).await?;
        request::check_validation(request.get_ref())?;
        let bundles = first_bundles(&mut self.0.bundles.clone()).await?;
        request::validate(request.get_ref(), &bundles, (self.0.clock)())
    }
}

fn x509_svids(view: &View) -> X509svidResponse {
    let own = x509_bundle(view.bundles.own());
    let svids = view.svid.iter().map(|svid| X509svid {
        spiffe_id: svid.spiffe_id.clone(),
        x509_svid: svid.chain.iter().flat_map(|der| der.to_vec()).collect(),
        x509_svid_key: svid.key_der.to_vec(),
        bundle: own.clone(),
        hint: String::new(),
    });
    X509svidResponse {
        svids: svids.collect(),
        crl: Vec::new(),
        federated_bundles: view.bundles.federated().map(by_id(x509_bundle)).collect(),
    }
}

fn x509_bundles(view: &View) -> X509BundlesResponse {
    X509BundlesResponse {
        crl: Vec::new(),
        bundles: all(&view.bundles, x509_bundle),
    }
}

fn jwt_bundles(view: &View) -> JwtBundlesResponse {
    JwtBundlesResponse {
        bundles: all(&view.bundles, jwt_bundle),
    }
}

/// By the SPIFFE IDs of their trust domains.
fn all(bundles: &Bundles, render: fn(&Bundle) -> Vec<u8>) -> HashMap<String, Vec<u8>> {
    let every = std::iter::once(bundles.own()).chain(bundles.federated());
    every.map(by_id(render)).collect()
}

fn by_id(render: fn(&Bundle) -> Vec<u8>) -> impl Fn(&Bundle) -> (String, Vec<u8>) {
    move |bundle| (bundle.trust_domain().id().to_string(), render(bundle))
}

/// The roots in DER, one after the other.
fn x509_bundle(bundle: &Bundle) -> Vec<u8> {
    bundle.roots().flat_map(|root| root.certificate().to_vec()).collect()
}

/// A JWK Set of the keys for JWT-SVIDs only: those of certificates are nobody's business here.
fn jwt_bundle(bundle: &Bundle) -> Vec<u8> {
    let mut keys = Bundle::new(bundle.trust_domain().clone());
    keys.sequence = bundle.sequence;
    keys.refresh_hint = bundle.refresh_hint;
    for key in bundle.jwt_keys() {
        keys.add_jwt_key(key.clone());
    }
    keys.to_jwks().into_bytes()
}
