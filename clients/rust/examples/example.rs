//! Lists a node's methods, calls two of them and follows a job through a broken stream.
//!
//! cargo run --example example [URL [NODE]]

use std::error::Error;
use std::time::Duration;

use passthru_client::error_detail;
use passthru_client::v1::call_node_method_response::Outcome;
use passthru_client::v1::passthru_service_client::PassthruServiceClient;
use passthru_client::v1::{CallNodeMethodRequest, ListNodeMethodsRequest, WatchJobRequest};
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// How often a broken stream is taken up again, and the pause before.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(500);

type Client = PassthruServiceClient<Channel>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let url = words.next().unwrap_or("http://127.0.0.1:6385".into());
    let node = words.next().unwrap_or("fake-1".into());
    let mut client = Client::connect(url).await?;

    println!("methods:");
    let listed = client
        .list_node_methods(ListNodeMethodsRequest { node: node.clone() })
        .await?;
    for method in listed.into_inner().methods {
        println!(
            "  {}, {}",
            method.name,
            if method.r#async {
                "asynchronous"
            } else {
                "synchronous"
            }
        );
    }

    let answered = client
        .call_node_method(call(&node, "third_method_sync", "meow"))
        .await?;
    let Some(Outcome::Result(result)) = answered.into_inner().outcome else {
        return Err("third_method_sync is synchronous".into());
    };
    println!("third_method_sync answered {}", boolean(&result)?);

    let started = client
        .call_node_method(call(&node, "second_method", "kazoo"))
        .await?;
    let Some(Outcome::Job(job)) = started.into_inner().outcome else {
        return Err("second_method is asynchronous".into());
    };
    println!("{} started a job", job.method);

    // The job holds the node: a second call is refused at once when it does not wait for the lock.
    let mut refused = call(&node, "third_method_sync", "meow");
    refused.lock_wait = Some(prost_types::Duration::default());
    let Err(status) = client.call_node_method(refused).await else {
        return Err("the node should be locked".into());
    };
    let Some(detail) = error_detail(&status) else {
        return Err(status.into());
    };
    let reason = detail.reason().as_str_name();
    let lock = detail.lock.ok_or("no lock in the detail")?;
    println!(
        "third_method_sync was refused: {reason}, {} holds the node for {}",
        lock.holder, lock.method
    );

    watch(&mut client, job.id).await
}

/// Follows a job to its end. A stream that breaks is taken up again after the last revision that came; to show that, the
/// first one is broken after its first message.
async fn watch(client: &mut Client, job_id: String) -> Result<(), Box<dyn Error>> {
    let mut request = WatchJobRequest {
        job_id,
        after_revision: None,
    };
    for _ in 0..TRIES {
        match follow(client, &mut request).await {
            Ok(Followed::ToTheEnd) => return Ok(()),
            Ok(Followed::Dropped) => {}
            Err(error) => match error.downcast_ref::<Status>() {
                Some(status) if is_broken(status) => {}
                _ => return Err(error),
            },
        }
        println!("the stream broke");
        tokio::time::sleep(PAUSE).await;
    }
    Err("the service cannot be reached".into())
}

/// Whether the job may be followed on another stream: the error is not the service's word, because the connection broke
/// or nobody listens, or the service says that it stops.
fn is_broken(status: &Status) -> bool {
    status.code() == Code::Unavailable || error_detail(status).is_none()
}

enum Followed {
    ToTheEnd,
    Dropped,
}

/// Follows a job on one stream and notes in `request` what has come. To drop a stream is to cancel it.
async fn follow(
    client: &mut Client,
    request: &mut WatchJobRequest,
) -> Result<Followed, Box<dyn Error>> {
    let mut stream = client.watch_job(request.clone()).await?.into_inner();
    while let Some(response) = stream.message().await? {
        let job = response.job.ok_or("no job in the message")?;
        let last = request.after_revision.replace(job.revision);
        let Some(last) = last else {
            println!("the job: {}", job.state().as_str_name());
            return Ok(Followed::Dropped);
        };
        if job.revision != last + 1 {
            return Err(format!("revision {} came after {last}", job.revision).into());
        }
        if job.end_time.is_some() {
            let result = boolean(job.result.as_ref().ok_or("no result")?)?;
            println!(
                "the job, resumed, with every revision once: {}, {result}",
                job.state().as_str_name()
            );
        }
    }
    Ok(Followed::ToTheEnd)
}

fn call(node: &str, method: &str, bar: &str) -> CallNodeMethodRequest {
    let bar = Value {
        kind: Some(Kind::StringValue(bar.into())),
    };
    CallNodeMethodRequest {
        node: node.into(),
        method: method.into(),
        arguments: Some(Struct {
            fields: [("bar".into(), bar)].into(),
        }),
        ..Default::default()
    }
}

fn boolean(value: &Value) -> Result<bool, Box<dyn Error>> {
    match value.kind {
        Some(Kind::BoolValue(boolean)) => Ok(boolean),
        _ => Err("not a boolean".into()),
    }
}
